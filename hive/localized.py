"""Values as a language writes them: sizes, times and spans; Babel takes long to load."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache

from babel import Locale
from babel.dates import format_date, format_timedelta
from babel.numbers import format_decimal
from babel.units import format_unit

from hive.catalogues import catalogue
from hive.formats import format_size, largest_unit
from hive.kinds import Language

_STEPS = (365 * 86_400, 30 * 86_400, 7 * 86_400, 86_400, 3_600, 60)


@lru_cache(maxsize=4096)
def size(count: int, language: str) -> str:
    """8.33 TB, in German 8,33 TB."""
    number, unit = format_size(count).split()
    return _measured(number, unit, len(number.partition(".")[2]), language)


def brief_size(count: int, language: str) -> str:
    """Three digits of it: 812 GB, 42.1 GB, 1.41 TB."""
    number, unit = format_size(count).split()
    decimals = 0 if unit == "B" else max(0, 3 - len(number.lstrip("-").partition(".")[0]))
    return _measured(number, unit, decimals, language)


def speed(count: int, language: str) -> str:
    """38 MB a second; digits that change each second are left out."""
    number, unit = format_size(count).split()
    return _measured(number, unit, 0 if unit == "B" or float(number) >= 10 else 1, language)


@lru_cache(maxsize=4096)
def _measured(number: str, unit: str, decimals: int, language: str) -> str:
    pattern = f"0.{'0' * decimals}" if decimals else "0"
    return f"{format_decimal(Decimal(number), format=pattern, locale=language)} {unit}"


def moment(at: datetime, language: str, zone: tzinfo | None = None) -> str:
    """2026-11-30 14:05 UTC, in German 30.11.2026 14:05 UTC; without UTC where a zone is given."""
    local = at.astimezone(zone or UTC)
    suffix = "" if zone is not None else " UTC"
    return f"{day(local, language)} {local:%H:%M}{suffix}"


def day(on: date, language: str) -> str:
    """2026-11-30, in German 30.11.2026."""
    return _dated(on.year, on.month, on.day, _date_pattern(language), language)


def weekday(on: date, language: str) -> str:
    """'Sat', in German 'Sa.'."""
    return _dated(on.year, on.month, on.day, "EEE", language)


@lru_cache(maxsize=1024)  # by the numbers: the same moment has other ones in another zone
def _dated(year: int, month: int, day_of_month: int, pattern: str, language: str) -> str:
    return format_date(date(year, month, day_of_month), pattern, locale=language)


def _date_pattern(language: str) -> str:
    return "yyyy-MM-dd" if language == Language.ENGLISH else "dd.MM.yyyy"


def span(length: timedelta, language: str) -> str:
    """A span in its largest unit, rounded down: '3 minutes', '2 weeks'."""
    if length < timedelta(minutes=1):
        return catalogue(language).gettext("less than a minute")
    return format_timedelta(whole(length), threshold=1, locale=Locale.parse(language))


def span_in_days(length: timedelta, language: str) -> str:
    """In days at most, as English has it: 9 days are not a week."""
    found = largest_unit(length)
    if found is None:
        return span(length, language)
    count, unit = found
    return format_unit(count, f"duration-{unit}", "long", locale=language)


def whole(length: timedelta) -> timedelta:
    """Rounded down to the largest unit in it: 59 minutes and a half are not an hour yet."""
    seconds = int(length.total_seconds())
    step = next((step for step in _STEPS if seconds >= step), 1)
    return timedelta(seconds=seconds - seconds % step)
