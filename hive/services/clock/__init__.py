"""Whether the clock can be trusted, and which recorded times can be believed.

It builds on the audit log; health, keys, deliveries and clean-up ask it before they act on a time.
"""
