"""Pages of the documents.

A page parses the request, calls a service and renders; pages do not import each other's packages.
"""
