"""What people set out to do on the pages, each to its end, with and without scripts."""
