"""Whether each repository is backed up as its schedule expects, and the one state that sums it up.

It builds on `alarms` and `clock`; pages, commands and digests read its summaries.
"""
