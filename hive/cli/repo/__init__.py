"""`hive repo`: the commands about repositories, one file for each group of them.

Each command parses its arguments, calls one service and prints what it returns.
"""
