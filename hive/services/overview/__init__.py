"""Everything at one glance: counts, filters, the list, what needs attention, and the details.

It only reads, and nothing but edges and `server` imports it.
"""
