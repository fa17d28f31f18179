"""`hive channel`, `rule`, `notification`, `delivery`, and what a user prefers to receive.

Each command parses its arguments, calls one service and prints what it returns.
"""
