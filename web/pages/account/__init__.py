"""Pages of one's own account: password, second factor, passkeys, appearance.

A page parses the request, calls a service and renders; pages do not import each other's packages.
"""
