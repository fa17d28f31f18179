"""The pages on notifications: what was sent, by which channels and rules, and what came of it."""
