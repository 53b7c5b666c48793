"""Faults around the command line: processes that are killed, and processes that write to one file at once."""
