"""People who log in: users, groups, passwords, second factors, browser sessions.

It knows no repositories except to say what depends on a user.
"""
