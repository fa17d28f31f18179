"""Notifications as rows: what is worth sending, to whom, through which channels and in which words.

It writes in the transaction of what happened and sends nothing; `delivery` does that.
"""
