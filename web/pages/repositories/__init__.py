"""The overview, a repository's page, and everything that can be done to it.

A page parses the request, calls a service and renders; pages do not import each other's packages.
"""
