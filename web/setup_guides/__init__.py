"""What to put on a machine so that it backs up, or reports its backups: ready to copy.

Names of programs, files and keywords are the same in every language; only what is told is marked.
"""
