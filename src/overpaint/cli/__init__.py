"""The command line: configuration, parts, entry points."""
