"""The command line: parsing, display and exit codes. Everything else is the library's."""
