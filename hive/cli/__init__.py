"""The command line: one file a noun. It parses, calls one service and shows the result."""
