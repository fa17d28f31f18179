"""The way in: password, second step, logout, password reset, first set-up.

A page parses the request, calls a service and renders; pages do not import each other's packages.
"""
