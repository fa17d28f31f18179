"""HTTP in, pages and JSON out."""
