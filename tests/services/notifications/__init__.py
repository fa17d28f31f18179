"""Who is told of what, and how it gets there: with real servers at the far end."""
