"""Lists of what happened: sessions, events, reports, and answers to alarms.

A page parses the request, calls a service and renders; pages do not import each other's packages.
"""
