"""Messages to people and machines outside: one file a channel, and `registry` that knows them.

A leaf: no database, no rules. Settings and a message go in; an answer comes out, or
`DeliveryFailed`.
"""
