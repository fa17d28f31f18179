"""HTTP requests to other servers, each checked for where it really goes.

It knows nothing of services; notifications and triggers send through it.
"""
