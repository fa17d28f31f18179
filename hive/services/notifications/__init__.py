"""What people set and read: channels, rules, preferences, history, digests, and who is reached.

It builds on `outbox` and `delivery`.
"""
