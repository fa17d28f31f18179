"""Rules: what of all that happens goes to which of somebody's channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tortoise.expressions import Q, Subquery
from tortoise.queryset import QuerySet

from hive import clock
from hive.database import transactional
from hive.errors import Conflict, Forbidden, InvalidInput, NotFound
from hive.kinds import Level, Role, Severity
from hive.models import Channel, Membership, Rule, RuleChannel, User
from hive.sentences import N_
from hive.services import audit, names, references
from hive.services.notifications import channels, rule_infos, rule_values
from hive.services.notifications.rule_infos import RuleInfo
from hive.services.outbox import recipients, routing
from hive.services.permissions import Actor, group_ids, level_on
from hive.services.repositories import catalogue as repositories
from hive.services.repositories import tags
from hive.services.repositories.tags import check_tag
from hive.services.versions import Version


@dataclass(frozen=True, kw_only=True)
class AddRule:
    """A rule to add; channels and repository by name, or a number as their id.

    What is absent matches everything. `quiet` are hours like 22:00-07:00. What nobody answers for
    `escalate_after`, such as 4h, goes to a further channel or user.
    """

    name: str
    channels: Sequence[str | int]
    repository: str | int | None = None
    tag: str | None = None
    owner: str | None = None
    kinds: Sequence[str] = ()
    severity: Severity = Severity.WARNING
    quiet: str | None = None
    is_quiet_for_critical: bool = False
    escalate_after: str | None = None
    escalate_channel: str | int | None = None
    escalate_user: str | None = None


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What a rule of somebody's may name."""

    tags: Sequence[str]
    owners: Sequence[str]
    channels: Sequence[channels.ChannelInfo]
    timezone: str  # in which the hours of this user are meant


@dataclass(frozen=True, kw_only=True)
class ChangeRule:
    """What is to change of a rule; what is absent stays as it is, what is empty matches everything.

    channels      all that it uses from now on, by their ids
    add_channels  further channels; `remove_channels` takes some away
    version       what the actor saw: `saving.change_rule` raises Changed where it is another one
    """

    name: str | None = None
    enabled: bool | None = None
    repository: str | int | None = None
    tag: str | None = None
    owner: str | None = None
    kinds: Sequence[str] | None = None
    severity: Severity | None = None
    quiet: str | None = None
    is_quiet_for_critical: bool | None = None
    escalate_after: str | None = None  # empty: no longer
    escalate_channel: str | int | None = None
    escalate_user: str | None = None
    channels: Sequence[int] | None = None
    add_channels: Sequence[str | int] = ()
    remove_channels: Sequence[str | int] = ()
    version: Version | None = None


@transactional
async def add(actor: Actor, user: str | int, wanted: AddRule) -> RuleInfo:
    """Add a rule for a user: administrators for everybody, others for themselves."""
    person = await references.person_to_change(actor, user)
    sight = _as(person, actor)
    row = Rule(user_id=person.id, created_at=clock.now())
    await _apply(
        sight,
        row,
        ChangeRule(
            name=wanted.name,
            repository=wanted.repository,
            tag=wanted.tag,
            owner=wanted.owner,
            kinds=wanted.kinds,
            severity=wanted.severity,
            quiet=wanted.quiet,
            is_quiet_for_critical=wanted.is_quiet_for_critical,
            escalate_after=wanted.escalate_after,
            escalate_channel=wanted.escalate_channel,
            escalate_user=wanted.escalate_user,
        ),
    )
    await _link(sight, row, wanted.channels)
    await audit.record(actor, "rule.add", f"rule {row.name} of {person.name}")
    return await _info(row)


async def _apply(sight: Actor, row: Rule, changes: ChangeRule) -> None:
    """Write what changes into the row, and save it; `sight` is the rule's own person."""
    if changes.name is not None:
        row.name = await _free_name(row, changes.name)
    if changes.enabled is not None:
        row.enabled = changes.enabled
    # What stays is not asked for again: its person may not see it any more.
    if changes.repository is not None and changes.repository != row.repository_id:
        row.repository_id = await _repository(sight, changes.repository)
    if changes.owner is not None:
        row.owner_id = await _owner(sight, changes.owner, row.owner_id)
    if changes.tag is not None:
        row.tag = check_tag(changes.tag) if changes.tag else None
    if changes.kinds is not None:
        row.kinds = rule_values.check_kinds(changes.kinds)
    if changes.severity is not None:
        row.severity = changes.severity
    if changes.quiet is not None:
        quiet = rule_values.parse_quiet(changes.quiet) if changes.quiet else (None, None)
        row.quiet_from, row.quiet_to = quiet
    if changes.is_quiet_for_critical is not None:
        row.is_quiet_for_critical = changes.is_quiet_for_critical
    await _escalate(sight, row, changes)
    await row.save()


async def _escalate(sight: Actor, row: Rule, changes: ChangeRule) -> None:
    """To whom, and after what time: an end of it ends both, and one target replaces the other."""
    if changes.escalate_channel:
        channel = await _channel(sight, changes.escalate_channel)
        await _require_use(sight, channel)
        row.escalate_channel_id, row.escalate_user_id = channel.id, None
    if changes.escalate_user:
        row.escalate_user_id = await _owner(sight, changes.escalate_user, row.escalate_user_id)
        row.escalate_channel_id = None
    if changes.escalate_after == "":
        row.escalate_after_minutes = row.escalate_channel_id = row.escalate_user_id = None
    elif changes.escalate_after is not None:
        row.escalate_after_minutes = rule_values.parse_escalation(changes.escalate_after)
    has_target = row.escalate_channel_id is not None or row.escalate_user_id is not None
    if has_target != (row.escalate_after_minutes is not None):
        raise InvalidInput(
            "An escalation needs a time, and a channel or a user to go to.",
            field="escalate_after",
        )


async def _free_name(row: Rule, name: str) -> str:
    title = names.check_title(name, "rule")
    same = Rule.filter(user_id=row.user_id, name=title).exclude(id=row.id or 0)
    if await same.exists():
        raise Conflict("There is a rule %(title)s of this user already.", field="name", title=title)
    return title


async def _owner(sight: Actor, reference: str, former: int | None) -> int | None:
    """Whose repositories it is about: themselves, who shares a group; for administrators all."""
    if not reference:
        return None
    user = await references.user(reference)
    if user is not None and user.id == former:
        return former
    if user is None or not await _may_know(sight, user):
        raise NotFound("There is no user %(reference)r.", reference=reference)
    return user.id


async def _may_know(sight: Actor, user: User) -> bool:
    return await (await _known_users(sight)).filter(id=user.id).exists()


async def _known_users(sight: Actor) -> QuerySet[User]:
    if sight.sees_all:
        return User.all()
    members = Membership.filter(group_id__in=await group_ids(sight)).values("user_id")
    return User.filter(Q(id=sight.user_id) | Q(id__in=Subquery(members)))


async def choices(actor: Actor, user: str | int) -> Choices:
    """What the rules of a user may be about, and by what they may tell."""
    person = await references.person(actor, user)
    sight = _as(person, actor)
    return Choices(
        tags=sorted(await tags.list_tags(sight)),
        owners=[one.name for one in await (await _known_users(sight)).order_by("name")],
        channels=await channels.list_channels(_plain(sight)),
        timezone=recipients.timezone_of(person).key,
    )


def _as(person: User, actor: Actor) -> Actor:
    """The rule's own person: what they may not see or use, no rule of theirs may."""
    return Actor(person.id, person.name, person.role, actor.source, actor.address)


async def _repository(sight: Actor, reference: str | int) -> int | None:
    if reference == "":
        return None
    if isinstance(reference, int):
        return (await repositories.find_repository_by_id(sight, reference)).id
    try:
        return (await repositories.choose(sight, reference)).id
    except (NotFound, InvalidInput) as error:
        raise InvalidInput(error.message, field="repository") from None


async def _link(sight: Actor, row: Rule, wanted: Sequence[str | int]) -> None:
    if not wanted:
        raise InvalidInput("A rule needs a channel to send by.", field="channels")
    for reference in wanted:
        channel = await _channel(sight, reference)
        await _require_use(sight, channel)
        await RuleChannel.get_or_create(rule_id=row.id, channel_id=channel.id)


async def _require_use(sight: Actor, channel: Channel) -> None:
    if await level_on(_plain(sight), channel) < Level.VIEW:
        raise Forbidden(
            "The channel %(name)s belongs to another user and is not shared.", name=channel.name
        )


async def _channel(sight: Actor, reference: str | int) -> Channel:
    if isinstance(reference, int):
        return await channels.get_by_id(sight, reference)
    return await channels.find(sight, reference)


def _plain(sight: Actor) -> Actor:
    """An administrator sees all channels, but is notified only by their own or shared ones."""
    return Actor(sight.user_id, sight.name, Role.MEMBER, sight.source)


@transactional
async def change(actor: Actor, rule_id: int, changes: ChangeRule) -> RuleInfo:
    """Change what is given of a rule: administrators everybody's, others their own."""
    row = await _own(actor, rule_id)
    person = await User.get(id=row.user_id)
    sight, before = _as(person, actor), await _audited(row)
    await _apply(sight, row, changes)
    more, fewer = list(changes.add_channels), list(changes.remove_channels)
    if changes.channels is not None:
        links = await RuleChannel.filter(rule_id=row.id)
        wanted, had = set(changes.channels), {link.channel_id for link in links}
        more += sorted(wanted - had)
        fewer += sorted(had - wanted)
    if more:
        await _link(sight, row, more)
    for reference in fewer:
        await _unlink(sight, row, reference)
    if fewer and not await RuleChannel.filter(rule_id=row.id).exists():
        raise InvalidInput("A rule needs a channel to send by.", field="channels")
    changed = audit.changes(before, await _audited(row))
    await audit.record(actor, "rule.set", f"rule {row.name} of {person.name}", **changed)
    return await _info(row)


async def _unlink(sight: Actor, row: Rule, reference: str | int) -> None:
    """Also one that is shared with the rule's person no longer, by its id."""
    if isinstance(reference, str):
        reference = (await channels.find(sight, reference)).id
    await RuleChannel.filter(rule_id=row.id, channel_id=reference).delete()


async def _audited(row: Rule) -> dict[str, object]:
    links = RuleChannel.filter(rule_id=row.id).select_related("channel")
    return {
        **audit.values_of(row, *_AUDITED),
        "channels": sorted([link.channel.name for link in await links]),
    }


_AUDITED = (
    *("name", "enabled", "repository_id", "tag", "owner_id", "kinds", "severity"),
    *("quiet_from", "quiet_to", "is_quiet_for_critical"),
)


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


async def list_rules(actor: Actor, user: str | int | None = None) -> list[RuleInfo]:
    """One's own rules; for an administrator everybody's, or those of one user."""
    query = Rule.all() if actor.sees_all else Rule.filter(user_id=actor.user_id)
    if user is not None:
        query = query.filter(user_id=(await references.person(actor, user)).id)
    return await rule_infos.infos(await query.order_by("user_id", "id"))


async def can_be_told(actor: Actor, user: str | int) -> bool:
    """Whether there is any way to tell somebody anything: a channel, or their mail address."""
    person = await references.person(actor, user)
    return any(routing.can_be_told(one) for one in await recipients.load([person.id]))


async def find_rule(actor: Actor, reference: str) -> RuleInfo:
    """The rule of this id, name or USER/NAME: one's own, or for an administrator anybody's."""
    number = names.as_id(reference)
    meant = [
        info
        for info in await list_rules(actor)
        if info.id == number or reference in (info.name, f"{info.user}/{info.name}")
    ]
    return references.the_one(
        meant,
        reference,
        several=N_("%(reference)r can be several rules: say USER/NAME or the id."),
        none=N_("There is no rule %(reference)r."),
    )


async def find_rule_by_id(actor: Actor, rule_id: int) -> RuleInfo:
    return await _info(await _own(actor, rule_id))


async def _info(row: Rule) -> RuleInfo:
    return (await rule_infos.infos([row]))[0]
