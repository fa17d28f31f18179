"""The pages of administration: every service they ask wants an administrator."""
