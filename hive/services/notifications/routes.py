"""From a matter and somebody's rules to channels and times. Pure.

No enabled rule: each of the person's own enabled channels, and without one their mail address.
Else each rule that matches adds its channels; several rules add up, each channel is used once,
at the earliest time that one of them allows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hive.kinds import Severity
from hive.services.notifications.kinds import DIGEST, ORDER, Matter

OWN_MAIL = "own mail"  # the kind of a delivery that goes to the person's own address


@dataclass(frozen=True)
class Place:
    """Where a notification goes: a channel, or the person's own mail address (no id)."""

    channel_id: int | None
    name: str
    kind: str
    enabled: bool = True


@dataclass(frozen=True)
class Quiet:
    """Hours in which nothing is sent; in minutes since midnight, over midnight where they turn."""

    begin: int
    end: int
    for_critical: bool = False


@dataclass(frozen=True)
class Rule:
    repository_id: int | None = None
    tag: str | None = None
    owner_id: int | None = None
    kinds: frozenset[str] = frozenset()  # empty: all that are told by default
    severity: Severity = Severity.WARNING
    quiet: Quiet | None = None
    places: tuple[Place, ...] = ()  # those that its person may use


@dataclass(frozen=True)
class Person:
    """Somebody who can be told, with what they set up for it."""

    id: int
    name: str
    timezone: ZoneInfo
    own_mail: Place | None  # None: no address, or this server sends no mail
    channels: tuple[Place, ...] = ()  # their own
    rules: tuple[Rule, ...] = ()  # the enabled ones


def route(person: Person, matter: Matter, now: datetime) -> dict[Place, datetime]:
    """Each place that the person is told at, and when."""
    if not person.rules:
        return dict.fromkeys(fallback(person), now) if matter.by_default else {}
    found: dict[Place, datetime] = {}
    matching = [rule for rule in person.rules if matches(rule, matter)]
    if not matching and matter.kind == DIGEST:
        return dict.fromkeys(fallback(person), now)  # no rule names it: it goes where it went
    for rule in matching:
        at = _time_for(rule, matter, person.timezone, now)
        for place in _places(person, rule):
            found[place] = min(at, found.get(place, at))
    return found


def _places(person: Person, rule: Rule) -> tuple[Place, ...]:
    """Where a rule tells; one whose channels are all gone must not fall silent."""
    return _enabled(rule.places) if rule.places else fallback(person)


def can_be_told(person: Person) -> bool:
    """Whether there is any way at all."""
    if not person.rules:
        return bool(fallback(person))
    return any(_places(person, rule) for rule in person.rules)


def fallback(person: Person) -> tuple[Place, ...]:
    """Where somebody is told who did not say it."""
    own = _enabled(person.channels)
    if own or person.own_mail is None:
        return own
    return (person.own_mail,)


def _enabled(places: Iterable[Place]) -> tuple[Place, ...]:
    return tuple(place for place in places if place.enabled)


def matches(rule: Rule, matter: Matter) -> bool:
    """Whether a rule tells of this; it tells of the end of every trouble it told of."""
    if not _is_about(rule, matter):
        return False
    if rule.kinds and not rule.kinds & {matter.kind, *matter.ends}:
        return False
    if not rule.kinds and not matter.by_default:
        return False
    if matter.kind == DIGEST:
        return bool(rule.kinds)  # it has no severity: whoever wants it here names it
    weight = max(matter.weight, matter.severity, key=ORDER.index)
    return ORDER.index(weight) >= ORDER.index(rule.severity)


def _is_about(rule: Rule, matter: Matter) -> bool:
    return (
        rule.repository_id in (None, matter.repository_id)
        and (rule.tag is None or rule.tag in matter.tags)
        and rule.owner_id in (None, matter.owner_id)
    )


def _time_for(rule: Rule, matter: Matter, timezone: ZoneInfo, now: datetime) -> datetime:
    if rule.quiet is None:
        return now
    if matter.severity == Severity.CRITICAL and not rule.quiet.for_critical:
        return now
    return end_of_quiet(rule.quiet, timezone, now)


def end_of_quiet(quiet: Quiet, timezone: ZoneInfo, now: datetime) -> datetime:
    """When it is no longer quiet; `now` itself where it is not quiet now.

    By the clock on the wall, so that a night in which that clock is changed ends at the same
    hour. An end in the hour that is left out comes at the first moment after it; one in the hour
    that comes twice, the first time.
    """
    local = now.astimezone(timezone)
    minute = local.hour * 60 + local.minute
    turns = quiet.begin > quiet.end
    if turns:
        is_quiet = minute >= quiet.begin or minute < quiet.end
    else:
        is_quiet = quiet.begin <= minute < quiet.end
    if not is_quiet:
        return now
    day = local.date() + timedelta(days=1 if turns and minute >= quiet.begin else 0)
    hour, rest = divmod(quiet.end, 60)
    end = datetime.combine(day, time(hour, rest), tzinfo=timezone).astimezone(UTC)
    # in the hour that comes twice, the wall may show quiet time after the end has passed
    return max(end, now)
