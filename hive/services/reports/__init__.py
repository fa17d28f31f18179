"""What clients report about their backups: tokens, runs, logs and their verdicts.

It builds on `sessions` and holds its own limits on space.
"""
