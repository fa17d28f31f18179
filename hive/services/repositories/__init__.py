"""Repositories: created, found, changed, limited by quotas, locked, and held for maintenance.

It builds on `storage` and `health`; what sessions do to a repository is in `sessions`.
"""
