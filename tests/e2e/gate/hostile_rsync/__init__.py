"""Hostile rsync clients: nothing outside the repository is read, written or changed."""
