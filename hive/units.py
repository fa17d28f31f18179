"""Sizes, durations and points in time as people type them; formats.py writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hive import clock
from hive.errors import InvalidInput

# As in borg: SI prefixes are powers of 1000, IEC prefixes powers of 1024.
_PREFIXES = "kmgtpe"
_LONGEST_TEXT = 100  # characters that are looked at, and that errors repeat

_SIZE = re.compile(
    r"(\d{1,20}(?:\.\d{1,9})?)\s{0,10}(?:([kmgtpe])(i?)b?|b)?", re.ASCII | re.IGNORECASE
)
_LARGEST_SIZE = 2**63 - 1  # what a database column and a resource limit can hold

_DURATION = re.compile(r"(?:\d{1,9}[wdhms])+", re.ASCII)
_DURATION_PART = re.compile(r"(\d{1,9})([wdhms])", re.ASCII)
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_LONGEST_DURATION = 100 * 365 * 86_400

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def parse_size(text: str) -> int:
    """Bytes from '1500', '5G', '10 GB' (powers of 1000) or '5 GiB' (powers of 1024)."""
    text = text.strip()[:_LONGEST_TEXT]
    found = _SIZE.fullmatch(text)
    if found is None:
        raise InvalidInput(
            "%(text)r is not a size; write for example 500MB, 10GB or 5GiB", text=text
        )
    number, prefix, binary = found.groups()
    scale = (1024 if binary else 1000) ** (_PREFIXES.index(prefix.lower()) + 1) if prefix else 1
    size = int(Decimal(number) * scale)
    if size > _LARGEST_SIZE:
        raise InvalidInput("%(text)r is too large; the largest size is 9.2EB", text=text)
    return size


def parse_limit(text: str) -> int | None:
    """A size, or None (no limit) from '0' or 'none'."""
    if text.strip().lower() == "none":
        return None
    return parse_size(text) or None


def time_of_day(text: str) -> tuple[int, int] | None:
    """Hour and minute of '7:05' or '22:00'; None for anything else."""
    found = _TIME.fullmatch(text)
    return None if found is None else (int(found[1]), int(found[2]))


def parse_duration(text: str) -> timedelta:
    """A time span from '90m', '6h', '1d', '2w' or '1d12h'."""
    text = text.strip()[:_LONGEST_TEXT]
    compact = text.lower().replace(" ", "")
    if not _DURATION.fullmatch(compact):
        raise InvalidInput(
            "%(text)r is not a time span; write for example 90m, 6h, 1d or 1d12h",
            text=text,
        )
    parts = _DURATION_PART.findall(compact)
    seconds = sum(int(number) * _SECONDS[unit] for number, unit in parts)
    if seconds > _LONGEST_DURATION:
        raise InvalidInput("%(text)r is too long; a time span ends at 100 years", text=text)
    return timedelta(seconds=seconds)


def parse_past(text: str) -> datetime:
    """A point in time as `parse_when` reads it, or how long ago: '7d'."""
    given = text.strip()
    if _DURATION.fullmatch(given.lower().replace(" ", "")):
        return clock.now() - parse_duration(given)
    return parse_when(given)


def parse_when(text: str) -> datetime:
    """A point in time, in UTC, from a date, an RFC 3339 time or '+90d' from now.

    A date alone is its first moment in UTC, as in OpenSSH's expiry-time.
    """
    text = given = text.strip()[:_LONGEST_TEXT]
    if given.startswith("+"):
        return clock.now() + parse_duration(given[1:])
    wrong = InvalidInput(
        "%(text)r is not a point in time; write for example 2027-01-31,"
        " 2027-01-31T18:00:00Z or +90d",
        text=text,
    )
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        raise wrong from None
    if _DATE.fullmatch(given):
        return at.replace(tzinfo=UTC)
    if at.tzinfo is None:
        raise InvalidInput(
            "%(text)r lacks its time zone; add Z for UTC, or for example +01:00",
            text=text,
        )
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise wrong from None
