"""Where repositories lie on disk: locations, paths, free space, and whether the storage is there.

Every path is checked here; it knows nothing of the content of repositories.
"""
