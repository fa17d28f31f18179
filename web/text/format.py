"""Times, spans and sizes as the pages show them, in the reader's language and zone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from babel.dates import format_timedelta
from babel.units import format_unit
from markupsafe import Markup

from hive import clock, formats, localized, work_words
from hive.long_work import WorkInfo
from hive.sentences import N_
from hive.services.health.strips import DayKind
from web.charts import StripDrawing
from web.text import i18n
from web.text.i18n import gettext, reader

_ZEROS_AT_THE_END = re.compile(r"[.,]00(?= )|(?<=[.,]\d)0(?= )")


def exact(at: datetime) -> str:
    """2026-11-23 17:05:00 UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def span(length: timedelta) -> str:
    """A span in its largest unit: '3 minutes', '2 weeks'."""
    return localized.span(length, reader().language)


def relative(at: datetime) -> str:
    distance = at - clock.now()
    if abs(distance) < timedelta(minutes=1):
        return gettext("just now")
    whole = localized.whole(abs(distance))
    signed = whole if distance > timedelta(0) else -whole
    return format_timedelta(signed, threshold=1, add_direction=True, locale=reader().language)


def ago(at: datetime) -> Markup:
    """How long ago, with the exact time in UTC on hover."""
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        clock.rfc3339(at), exact(at), relative(at)
    )


def brief(length: timedelta) -> str:
    """A span in its largest unit up to days, as short as the language has it: '3h', '9d'."""
    seconds = max(int(length.total_seconds()), 60)
    units = (("day", 86_400), ("hour", 3_600), ("minute", 60))
    unit, one = next((unit, one) for unit, one in units if seconds >= one)
    return _narrow(seconds // one, f"duration-{unit}", reader().language)


@lru_cache(maxsize=4096)
def _narrow(count: int, unit: str, language: str) -> str:
    """Kept, for a page has it a hundred times and Babel takes long."""
    return format_unit(count, unit, "narrow", locale=language)


def briefly_ago(at: datetime, took: timedelta | None = None) -> Markup:
    """How long ago, as short as can be; the time itself, and how long it took, on hover."""
    length = clock.now() - at
    words = (
        gettext("just now")
        if length < timedelta(minutes=1)
        else gettext("%(span)s ago", span=brief(length))
    )
    who = reader()
    title = localized.moment(at, who.language, who.zone)
    if took is not None:
        title = gettext("%(time)s, took %(span)s", time=title, span=lasted(took))
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        clock.rfc3339(at), title, words
    )


def soon(at: datetime) -> Markup:
    """When something is expected: the time of today, with the day of this week, or the date.

    Where the zone is not known here it is UTC, which the page's script turns into the browser's.
    """
    who = reader()
    local, now = at.astimezone(who.shown_zone), clock.now().astimezone(who.shown_zone)
    days = (local.date() - now.date()).days
    if days == 0 or timedelta(0) <= at - now < timedelta(hours=12):
        words = f"{local:%H:%M}"
    elif 0 < days < 7:
        words = f"{localized.weekday(local.date(), who.language)} {local:%H:%M}"
    else:
        words = localized.day(local.date(), who.language)
    unknown = Markup(' data-local="soon"') if who.zone is None else ""
    return Markup('<time datetime="{}" title="{}"{}>{}</time>').format(
        clock.rfc3339(at), exact(at), unknown, words
    )


def days_in_words(drawing: StripDrawing) -> str:
    """What a strip of days shows: "30 days: 26 made, 2 late, 1 missing"."""
    said = [
        gettext(DAYS_IN_WORDS[kind], count=count)
        for kind, count in drawing.counts
        if kind in DAYS_IN_WORDS
    ]
    words = ", ".join(said) or gettext("no backup")
    return gettext("%(count)s days: %(words)s", count=drawing.length, words=words)


DAYS_IN_WORDS = {
    DayKind.MADE: N_("%(count)s made"),
    DayKind.LATE: N_("%(count)s late"),
    DayKind.MISSING: N_("%(count)s missing"),
    DayKind.FAILED: N_("%(count)s failed"),
    DayKind.DUE: N_("due now"),
    DayKind.RUNNING: N_("running now"),
}


def moment(at: datetime) -> Markup:
    """The time itself in the reader's zone, with UTC on hover.

    Where the zone is not known here it is UTC, which the page's script turns into the browser's.
    """
    who = reader()
    template = '<time datetime="{}" title="{}"{}>{}</time>'
    local = Markup(" data-local") if who.zone is None else ""
    return Markup(template).format(  # noqa: S704 - ours
        clock.rfc3339(at), exact(at), local, localized.moment(at, who.language, who.zone)
    )


def knows_no_zone() -> bool:
    """Whether times are in UTC because nobody has said in which zone the reader is."""
    return reader().zone is None


def plain_moment(at: datetime) -> str:
    """The time itself in the reader's zone where no element can stand, as in a tip."""
    who = reader()
    return localized.moment(at, who.language, who.zone)


def time_of_day(at: datetime) -> str:
    """03:04, in the reader's zone."""
    return f"{at.astimezone(reader().shown_zone):%H:%M}"


def on(day: date) -> str:
    """A day of the calendar."""
    return localized.day(day, reader().language)


def short_moment(at: datetime, within: timedelta) -> str:
    """A mark on an axis that is so long: the day, or the time where the axis is about a day."""
    local = at.astimezone(reader().shown_zone)
    return f"{local:%H:%M}" if within <= timedelta(days=2) else on(local.date())


def work_amount(work: WorkInfo) -> str:
    """1904 of 2811 segments."""
    return i18n.sentence(work_words.amount(work.reading))


def work_share(work: WorkInfo) -> str:
    """68 %; empty where the whole is not known."""
    return i18n.sentence(work_words.percent(work))


def work_left(work: WorkInfo) -> str:
    """'68 %, about 40 minutes left.'; empty where neither is known."""
    known = (work_words.percent(work), work_words.left(work))
    said = ", ".join(i18n.sentence(one) for one in known if one)
    return f"{said}." if said else ""


def took(start: datetime, end: datetime | None) -> str:
    """How long from start to end, or until now: '3m12s'; the two largest units are enough."""
    seconds = max(0, int(((end or clock.now()) - start).total_seconds()))
    bounds = ((604_800, 86_400), (86_400, 3_600), (3_600, 60))
    unit = next((unit for bound, unit in bounds if seconds >= bound), 1)
    return formats.format_duration(timedelta(seconds=seconds - seconds % unit))


def size(count: int | None) -> str:
    return "\u2013" if count is None else localized.size(count, reader().language)


def brief_size(count: int | None) -> str:
    """A size where there is little room."""
    return "\u2013" if count is None else localized.brief_size(count, reader().language)


def speed(count: int) -> str:
    """38 MB/s."""
    return gettext("%(size)s/s", size=localized.speed(count, reader().language))


def round_size(count: int) -> str:
    """A size on an axis: 500 GB, 1.5 TB."""
    return _ZEROS_AT_THE_END.sub("", size(count))


def plain(value: object) -> str:
    """A value of JSON as people write it: no brackets, no True."""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, list):
        return ", ".join(plain(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}: {plain(one)}" for name, one in value.items())
    return "\u2013" if value is None else str(value)


def ahead(day: date) -> str:
    """When a day comes, about: 'in 7 months'; 'today'."""
    days = (day - clock.now().date()).days
    if days <= 0:
        return gettext("today")
    whole = localized.whole(timedelta(days=days))
    return format_timedelta(whole, threshold=1, add_direction=True, locale=reader().language)


def change(count: int) -> str:
    """A size that something has changed by, with its sign."""
    if count == 0:
        return gettext("unchanged")
    sign = "+" if count > 0 else "\u2212"
    return f"{sign}{localized.brief_size(abs(count), reader().language)}"


def lasted(length: timedelta) -> str:
    """'3m12s': the two largest units are enough."""
    now = clock.now()
    return took(now - length, now)


def observed(length: timedelta) -> str:
    """'24 hours', '7 days': in a unit of which there are some."""
    return format_timedelta(length, threshold=2, locale=reader().language)


_BROWSERS = ("Edg", "OPR", "Firefox", "Chromium", "Chrome", "Safari", "curl")
_BROWSER_NAMES = {"Edg": "Edge", "OPR": "Opera"}
_SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac OS X", "Linux")


def browser(user_agent: str) -> str:
    """What a browser calls itself, in short: 'Firefox, Linux'; nothing where it is not known."""
    program = next((name for name in _BROWSERS if f"{name}/" in user_agent), None)
    system = next((name for name in _SYSTEMS if name in user_agent), None)
    known = (_BROWSER_NAMES.get(program, program) if program else None, system)
    return ", ".join(name for name in known if name)
