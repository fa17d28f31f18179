"""Sessions of clients: what runs, what it turned out to be, and what it left behind.

It builds on `repositories`; the gate writes here, pages and upkeep read.
"""
