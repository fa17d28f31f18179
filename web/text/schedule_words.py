"""A schedule as the reader of a page reads it: in their language and time zone."""

from __future__ import annotations

from datetime import datetime

from hive import clock, schedule_words
from hive.services.health.infos import HealthInfo
from web.text.i18n import gettext, reader, sentence

_FOLLOWING = 2  # dates that are shown behind the next one


def in_the_readers_words(health: HealthInfo) -> str:
    """Every day at 03:00, Europe/Berlin, next tomorrow."""
    schedule = health.schedule.schedule
    if schedule is None:
        return gettext("cannot be followed")
    described = schedule_words.describe(
        schedule, health.due_at, clock.now(), zone=reader().shown_zone
    )
    return sentence(described)


def upcoming(health: HealthInfo) -> list[datetime]:
    """When backups are due behind the next one, if each comes in time."""
    schedule, at = health.schedule.schedule, health.due_at
    found: list[datetime] = []
    while schedule is not None and at is not None and len(found) < _FOLLOWING:
        at = schedule.due_after(at)
        if at is not None:
            found.append(at)
    return found
