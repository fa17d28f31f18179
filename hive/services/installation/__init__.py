"""Which installation, node and storage this is: ids, markers, and which roots are away.

It imports no other package; everything may import it.
"""
