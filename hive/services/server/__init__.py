"""The server itself: jobs, watches, doctor, recovery after a crash.

It may import every other package; only edges import it.
"""
