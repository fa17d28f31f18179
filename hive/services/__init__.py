"""Every rule, one file a concern; nobody else touches the models."""
