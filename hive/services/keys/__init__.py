"""SSH public keys: who owns them, which repositories they open, and keys that were refused.

It imports no other package but `outbox`; the gate asks it through `gate`.
"""
