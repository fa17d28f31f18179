"""From a matter and somebody's rules to channels and times. Pure.

No enabled rule: each of the person's own enabled channels, and without one their mail address.
Else each rule that matches adds its channels; several rules add up, each channel is used once,
at the earliest time that one of them allows. What no rule matches goes where it would go without
rules, unless its person wants less of it (`Rest`). Where all ways are broken, the own mail address
is used as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hive.kinds import Language, Rest, Severity
from hive.services.outbox.kinds import DIGEST, ORDER, Matter
from hive.services.outbox.texts import Reader

OWN_MAIL = "own mail"  # the kind of a delivery that goes to the person's own address


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where a notification goes: a channel, or the person's own mail address (no id)."""

    channel_id: int | None
    name: str
    kind: str
    enabled: bool = True
    error: str = field(default="", compare=False)  # why it is broken; empty: it is not


@dataclass(frozen=True)
class Quiet:
    """Hours in which nothing is sent; in minutes since midnight, over midnight where they turn."""

    begin: int
    end: int
    for_critical: bool = False


@dataclass(frozen=True)
class RoutingRule:
    repository_id: int | None = None
    tag: str | None = None
    owner_id: int | None = None
    kinds: frozenset[str] = frozenset()  # empty: all default kinds
    severity: Severity = Severity.WARNING
    quiet: Quiet | None = None
    places: tuple[Destination, ...] = ()  # those that its person may use
    id: int = 0
    escalate_after: timedelta | None = None


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who can be notified, with what they set up for it."""

    id: int
    name: str
    timezone: ZoneInfo
    own_mail: Destination | None  # None: no address, or this server sends no mail
    channels: tuple[Destination, ...] = ()  # their own
    rules: tuple[RoutingRule, ...] = ()  # the enabled ones
    rest: Rest = Rest.ALL
    language: str = Language.ENGLISH
    is_told_of_critical: bool = True  # as an administrator, of all repositories
    is_responsible: bool = True  # as an administrator; auditors hear what their rules say
    has_address: bool = False  # though perhaps nothing sends mail to it
    is_mailed: bool = True  # unless they do not want that

    @property
    def reader(self) -> Reader:
        """How texts for them are written: in their own time zone where they set one."""
        return Reader(self.language, None if self.timezone.key == "UTC" else self.timezone)


def route(person: Person, matter: Matter, now: datetime) -> dict[Destination, datetime] | None:
    """Each place at which to notify the person, and when; none if there is no way to.

    None: it is not for them.
    """
    by_rules = route_by_rules(person, matter, now)
    if by_rules is not None:
        return by_rules
    if matter.kind != DIGEST and not (matter.by_default and _is_among_the_rest(person, matter)):
        return None
    return _with_own_mail(person, dict.fromkeys(fallback(person), now))


def route_of_administrator(
    person: Person, matter: Matter, now: datetime
) -> dict[Destination, datetime] | None:
    """The same of a repository of others, of which an administrator hears what they asked for.

    Without asking they hear of what is critical, unless they do not want to.
    """
    by_rules = route_by_rules(person, matter, now)
    if by_rules is not None:
        return by_rules
    if not (person.is_told_of_critical and matter.by_default and is_critical(matter)):
        return None
    return _with_own_mail(person, dict.fromkeys(fallback(person), now))


def route_by_rules(
    person: Person, matter: Matter, now: datetime
) -> dict[Destination, datetime] | None:
    """Where the rules that match send it; None where none does."""
    matching = [rule for rule in person.rules if matches(rule, matter)]
    if not matching:
        return None
    found: dict[Destination, datetime] = {}
    for rule in matching:
        at = _time_for(rule, matter, person.timezone, now)
        for place in _places(person, rule):
            found[place] = min(at, found.get(place, at))
    return _with_own_mail(person, found)


def _is_among_the_rest(person: Person, matter: Matter) -> bool:
    if not person.rules or person.rest == Rest.ALL:
        return True
    return person.rest == Rest.CRITICAL and is_critical(matter)


def is_critical(matter: Matter) -> bool:
    """Whether it is critical itself, or the end of what was."""
    return weight_of(matter) == Severity.CRITICAL


def weight_of(matter: Matter) -> Severity:
    """How bad it is, or was what it ends."""
    return max(matter.weight, matter.severity, key=ORDER.index)


def _with_own_mail(
    person: Person, times: dict[Destination, datetime]
) -> dict[Destination, datetime]:
    """Also by mail where everything else is broken."""
    mail = person.own_mail
    if mail is None or mail.error or not times or not all(place.error for place in times):
        return times
    return {**times, mail: min(times.values())}


def _places(person: Person, rule: RoutingRule) -> tuple[Destination, ...]:
    """Where a rule tells; one whose channels are all gone must not fall silent."""
    return _enabled(rule.places) if rule.places else fallback(person)


def can_be_told(person: Person) -> bool:
    """Whether there is any way at all."""
    if fallback(person) and (not person.rules or person.rest != Rest.NOTHING):
        return True
    return any(_places(person, rule) for rule in person.rules)


def fallback(person: Person) -> tuple[Destination, ...]:
    """Where to notify somebody who did not choose."""
    own = _enabled(person.channels)
    if own or person.own_mail is None:
        return own
    return (person.own_mail,)


def _enabled(places: Iterable[Destination]) -> tuple[Destination, ...]:
    return tuple(place for place in places if place.enabled)


def matches(rule: RoutingRule, matter: Matter) -> bool:
    """Whether a rule tells of this; it tells of the end of every trouble it told of."""
    if not _is_about(rule, matter):
        return False
    if rule.kinds and not rule.kinds & {matter.kind, *matter.ends}:
        return False
    if not rule.kinds and not matter.by_default:
        return False
    if matter.kind == DIGEST:
        return bool(rule.kinds)  # it has no severity: only a rule that names it matches
    return ORDER.index(weight_of(matter)) >= ORDER.index(rule.severity)


def _is_about(rule: RoutingRule, matter: Matter) -> bool:
    return (
        rule.repository_id in (None, matter.repository_id)
        and (rule.tag is None or rule.tag in matter.tags)
        and rule.owner_id in (None, matter.owner_id)
    )


def _time_for(rule: RoutingRule, matter: Matter, timezone: ZoneInfo, now: datetime) -> datetime:
    if rule.quiet is None:
        return now
    if matter.severity == Severity.CRITICAL and not rule.quiet.for_critical:
        return now
    return end_of_quiet(rule.quiet, timezone, now)


def quiet_until(person: Person, place: Destination, now: datetime) -> datetime:
    """When something of no weight may be sent to a place that a person was notified by before."""
    using = [rule for rule in person.rules if place in rule.places]
    ends = [
        now if rule.quiet is None else end_of_quiet(rule.quiet, person.timezone, now)
        for rule in using
    ]
    return min(ends, default=now)


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
