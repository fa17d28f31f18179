"""The moment at which something is to end, as people give it."""

from __future__ import annotations

from datetime import datetime

from hive import clock
from hive.errors import InvalidInput


def require_future(until: datetime, *, field: str) -> None:
    """Raise InvalidInput, which names the field, for a moment that has passed."""
    if until <= clock.now():
        raise InvalidInput("%(until)s is in the past.", field=field, until=until)
