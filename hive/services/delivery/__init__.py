"""Sends what the outbox holds: attempts, order, back-off, and channels that fail.

It builds on `outbox` and `alarms`; nothing but the server's jobs and `notifications` calls it.
"""
