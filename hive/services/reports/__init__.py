"""What clients report of their own backups: tokens, runs, logs and their verdicts.

It builds on `sessions` and holds its own limits on space.
"""
