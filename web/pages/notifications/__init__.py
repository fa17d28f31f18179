"""The pages on notifications: what was told, by which channels and rules, and what came of it."""

from web.pages.notifications import channels, deliveries, preferences, rules, told

__all__ = ["channels", "deliveries", "preferences", "rules", "told"]
