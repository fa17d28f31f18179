"""Borg Hive: what the system knows and decides."""

__version__ = "0.1.0"
