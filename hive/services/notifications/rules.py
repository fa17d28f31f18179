"""Rules: what of all that happens goes to which of somebody's channels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hive import clock
from hive.database import transactional
from hive.errors import Conflict, Forbidden, InvalidInput, NotFound
from hive.kinds import Level, Severity
from hive.models import Repository, Rule, RuleChannel, User
from hive.services import audit, references, repositories
from hive.services.notifications import channels
from hive.services.notifications.kinds import NAMES
from hive.services.permissions import Actor, require_admin

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


@dataclass(frozen=True)
class RuleInfo:
    """What matches; None and empty match everything. Quiet hours as '22:00-07:00'."""

    id: int
    user: str
    name: str
    enabled: bool
    repository: str | None
    tag: str | None
    owner: str | None
    kinds: tuple[str, ...]
    severity: Severity
    quiet: str | None
    is_quiet_for_critical: bool
    channels: tuple[str, ...]


@dataclass(frozen=True)
class Wanted:
    """A rule as somebody writes it; references by name."""

    name: str
    channels: Sequence[str]
    repository: str | None = None
    tag: str | None = None
    owner: str | None = None
    kinds: Sequence[str] = ()
    severity: Severity = Severity.WARNING
    quiet: str | None = None
    is_quiet_for_critical: bool = False


@transactional
async def add(actor: Actor, user: str, wanted: Wanted) -> RuleInfo:
    """Add a rule for a user: administrators for everybody, others for themselves."""
    person = await _person(actor, user)
    if not wanted.name.strip() or len(wanted.name) > 150 or not wanted.name.isprintable():
        raise InvalidInput("A rule's name is 1 to 150 printable characters.", field="name")
    if await Rule.filter(user_id=person.id, name=wanted.name).exists():
        raise Conflict(f"There is a rule {wanted.name} of this user already.", field="name")
    sight = _as(person, actor)
    unknown = sorted(set(wanted.kinds) - set(NAMES))
    if unknown:
        known = ", ".join(NAMES)
        raise InvalidInput(f"There is no kind {unknown[0]!r}; there are: {known}.", field="kinds")
    quiet = parse_quiet(wanted.quiet) if wanted.quiet else (None, None)
    row = await Rule.create(
        user_id=person.id,
        name=wanted.name,
        repository_id=await _repository(sight, wanted.repository),
        tag=wanted.tag.strip().lower() if wanted.tag else None,
        owner_id=(await references.existing_user(wanted.owner)).id if wanted.owner else None,
        kinds=list(wanted.kinds),
        severity=wanted.severity,
        quiet_from=quiet[0],
        quiet_to=quiet[1],
        is_quiet_for_critical=wanted.is_quiet_for_critical,
        created_at=clock.now(),
    )
    await _link(sight, row, wanted.channels)
    await audit.record(actor, "rule.add", f"rule {row.name} of {person.name}")
    return await _info(row)


def _as(person: User, actor: Actor) -> Actor:
    """The rule's own person: what they may not see or use, no rule of theirs may."""
    return Actor(person.id, person.name, person.is_admin, actor.source, actor.address)


async def _person(actor: Actor, user: str) -> User:
    person = await references.existing_user(user)
    if person.id != actor.user_id:
        require_admin(actor)
    return person


async def _repository(sight: Actor, reference: str | None) -> int | None:
    if reference is None:
        return None
    return (await repositories.find_repository(sight, reference)).id


async def _link(sight: Actor, row: Rule, wanted: Sequence[str]) -> None:
    if not wanted:
        raise InvalidInput("A rule needs a channel to tell things by.", field="channels")
    for reference in wanted:
        channel = await channels.find(sight, reference)
        is_theirs = channel.owner_id == sight.user_id
        # an administrator sees all channels, but is told by those that are theirs or shared
        plain = Actor(sight.user_id, sight.name, is_admin=False, source=sight.source)
        if not is_theirs and await channels.level_on(plain, channel) < Level.VIEW:
            raise Forbidden(f"The channel {channel.name} is somebody else's and is not shared.")
        await RuleChannel.get_or_create(rule_id=row.id, channel_id=channel.id)


def parse_quiet(text: str) -> tuple[int, int]:
    """'22:00-07:00' as minutes since midnight."""
    begin, dash, end = text.partition("-")
    found = [_TIME.fullmatch(part.strip()) for part in (begin, end)]
    if not dash or found[0] is None or found[1] is None:
        raise InvalidInput("Quiet hours are written like 22:00-07:00.", field="quiet")
    first, last = (int(match[1]) * 60 + int(match[2]) for match in found if match is not None)
    if first == last:
        raise InvalidInput("Quiet hours that begin when they end are none.", field="quiet")
    return first, last


@transactional
async def change(
    actor: Actor,
    rule_id: int,
    *,
    enabled: bool | None = None,
    add_channels: Sequence[str] = (),
    remove_channels: Sequence[str] = (),
) -> RuleInfo:
    row = await _own(actor, rule_id)
    person = await User.get(id=row.user_id)
    if enabled is not None:
        row.enabled = enabled
        await row.save()
    if add_channels:
        await _link(_as(person, actor), row, add_channels)
    for reference in remove_channels:
        channel = await channels.find(_as(person, actor), reference)
        await RuleChannel.filter(rule_id=row.id, channel_id=channel.id).delete()
    await audit.record(actor, "rule.set", f"rule {row.name} of {person.name}", enabled=enabled)
    return await _info(row)


@transactional
async def delete(actor: Actor, rule_id: int) -> None:
    row = await _own(actor, rule_id)
    await row.delete()
    await audit.record(actor, "rule.delete", f"rule {row.name}")


async def _own(actor: Actor, rule_id: int) -> Rule:
    row = await Rule.get_or_none(id=rule_id)
    if row is None or not (actor.is_admin or row.user_id == actor.user_id):
        raise NotFound("There is no such rule.")
    return row


async def list_rules(actor: Actor, user: str | None = None) -> list[RuleInfo]:
    """One's own rules; for an administrator everybody's, or those of one user."""
    query = Rule.all() if actor.is_admin else Rule.filter(user_id=actor.user_id)
    if user is not None:
        query = query.filter(user_id=(await _person(actor, user)).id)
    return [await _info(row) for row in await query.order_by("user_id", "id")]


async def _info(row: Rule) -> RuleInfo:
    await row.fetch_related("user", "owner", "repository")
    links = await RuleChannel.filter(rule_id=row.id).select_related("channel")
    repository: Repository | None = row.repository
    return RuleInfo(
        id=row.id,
        user=row.user.name,
        name=row.name,
        enabled=row.enabled,
        repository=None if repository is None else repository.name,
        tag=row.tag,
        owner=None if row.owner is None else row.owner.name,
        kinds=tuple(str(kind) for kind in row.kinds),
        severity=row.severity,
        quiet=_quiet_in_words(row),
        is_quiet_for_critical=row.is_quiet_for_critical,
        channels=tuple(sorted(link.channel.name for link in links)),
    )


def _quiet_in_words(row: Rule) -> str | None:
    if row.quiet_from is None or row.quiet_to is None:
        return None
    return "-".join(f"{one // 60:02}:{one % 60:02}" for one in (row.quiet_from, row.quiet_to))
