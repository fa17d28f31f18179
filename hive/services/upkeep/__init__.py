"""Checks and compactions by the server's own borg: what is due, what ran, how room is made for it.

It builds on `programs`, `sessions` and `measurements`.
"""
