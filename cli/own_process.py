"""Whether this process was begun for one command, whose time then counts from the beginning of the process."""

begun_for_one_command = False  # set by the console script; programs that call `main` leave it
