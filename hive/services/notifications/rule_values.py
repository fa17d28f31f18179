"""What people type into a rule, read and written: kinds, quiet hours, and after what time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from hive.errors import InvalidInput
from hive.models import Rule
from hive.services.outbox.kinds import NAMES
from hive.units import parse_duration, time_of_day

_SHORTEST_ESCALATION = timedelta(minutes=10)
_LONGEST_ESCALATION = timedelta(days=14)


def check_kinds(kinds: Sequence[str]) -> list[str]:
    unknown = sorted(set(kinds) - set(NAMES))
    if unknown:
        known = ", ".join(NAMES)
        raise InvalidInput(
            "There is no kind %(unknown)r; there are: %(known)s.",
            field="kinds",
            unknown=unknown[0][:60],
            known=known,
        )
    return sorted(set(kinds))


def parse_quiet(text: str) -> tuple[int, int]:
    """'22:00-07:00' as minutes since midnight."""
    begin, dash, end = text.partition("-")
    found = [one for part in (begin, end) if (one := time_of_day(part.strip())) is not None]
    if not dash or len(found) < 2:
        raise InvalidInput("Write quiet hours like 22:00-07:00.", field="quiet")
    first, last = (hour * 60 + minute for hour, minute in found)
    if first == last:
        raise InvalidInput("Quiet hours cannot begin when they end.", field="quiet")
    return first, last


def parse_escalation(text: str) -> int:
    """'4h' in minutes."""
    try:
        length = parse_duration(text)
    except InvalidInput:
        length = timedelta(0)
    if not _SHORTEST_ESCALATION <= length <= _LONGEST_ESCALATION:
        raise InvalidInput(
            "Write a time from 10 minutes to 14 days, for example 4h.", field="escalate_after"
        )
    return int(length.total_seconds()) // 60


def quiet_in_words(row: Rule) -> str | None:
    if row.quiet_from is None or row.quiet_to is None:
        return None
    return "-".join(f"{one // 60:02}:{one % 60:02}" for one in (row.quiet_from, row.quiet_to))
