"""SSH in, child process out."""
