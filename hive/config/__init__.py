"""Settings: what can be set, where values come from, and what is dangerous about them.

It knows nothing of services; everything else may import `hive.config.settings`.
"""
