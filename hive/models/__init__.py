"""Tables, one file a concern."""
