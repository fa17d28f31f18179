"""Pages of SSH keys and of keys that were refused.

A page parses the request, calls a service and renders; pages do not import each other's packages.
"""
