"""The command line: parse, delegate, print. Results go to stdout, messages to stderr; exit codes are in `errors`."""
