"""What readers read: words, translations, and values formatted for their language and zone.

It imports services only for their types; pages and templates use it.
"""
