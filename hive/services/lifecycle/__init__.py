"""A repository's large changes: import, restoring its config, trash and restoring from it.

It builds on `repositories`, `sessions` and `measurements`.
"""
