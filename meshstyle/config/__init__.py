"""Every setting with its default. The API, the command line and configuration files read them from here."""
