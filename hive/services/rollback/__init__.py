"""Return a repository to an earlier state: preview, work, undo, and completion after a crash.

It builds on `sessions` and `measurements`; it decides from the segments on disk alone.
"""
