"""The people who may be notified, with their channels and rules: a fixed number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tortoise.expressions import Subquery

from hive import sql
from hive.kinds import Language, Role
from hive.models import (
    Channel,
    ChannelShare,
    Membership,
    Preference,
    RepositoryShare,
    Rule,
    RuleChannel,
    User,
)
from hive.services.outbox import condition, sending
from hive.services.outbox.condition import ChannelCondition
from hive.services.outbox.routing import OWN_MAIL, Destination, Person, Quiet, RoutingRule
from hive.services.outbox.texts import Reader
from hive.services.permissions import RESPONSIBLE, SEEING_ALL


async def of_repository(repository_id: int, owner_id: int) -> set[int]:
    """The owner, and the members of groups that it is shared with who want to hear of that."""
    groups = RepositoryShare.filter(repository_id=repository_id)
    group_ids = await groups.values_list("group_id", flat=True)
    found = {owner_id}
    if group_ids:
        members = Membership.filter(group_id__in=list(group_ids))
        ids = {row.user_id for row in await members} - found
        found |= ids - await not_told_of_shared(ids)
    return found


async def members_of_shared(owners: Mapping[int, int]) -> dict[int, set[int]]:
    """Whom `of_repository` finds besides the owner, of many repositories."""
    found: dict[int, set[int]] = defaultdict(set)
    shares = RepositoryShare.filter(repository_id__in=sql.ids(owners))
    groups = await shares.values("repository_id", "group_id")
    if not groups:
        return found
    members: dict[int, set[int]] = defaultdict(set)
    for row in await Membership.all().values("group_id", "user_id"):
        members[row["group_id"]].add(row["user_id"])
    unwilling = await _unwilling()
    for share in groups:
        found[share["repository_id"]] |= members[share["group_id"]] - unwilling
    return found


async def not_told_of_shared(user_ids: Collection[int]) -> set[int]:
    """People who are notified of their own repositories only, and auditors without a rule."""
    return (await _unwilling()) & set(user_ids)


async def _unwilling() -> set[int]:
    rows = Preference.filter(is_told_of_shared=False)
    return {row.user_id for row in await rows} | await silent_auditors()


async def silent_auditors() -> set[int]:
    """Auditors without a rule, who are notified of nothing."""
    having = Rule.filter(enabled=True).values("user_id")
    auditors = User.filter(role=Role.AUDITOR).exclude(id__in=Subquery(having))
    return {row["id"] for row in await auditors.values("id")}


async def administrators() -> set[int]:
    return {row.id for row in await User.filter(role__in=RESPONSIBLE, enabled=True)}


async def overseers() -> set[int]:
    """Who may hear of everybody's repositories; auditors only by their rules."""
    rows = User.filter(role__in=SEEING_ALL, enabled=True)
    return {row["id"] for row in await rows.values("id")}


async def load(user_ids: Collection[int]) -> list[Person]:
    """The enabled ones among these users."""
    return await of_users(await User.filter(id__in=list(user_ids)))


async def of_users(users: Collection[User]) -> list[Person]:
    """The same of rows that are read already."""
    users = sorted((user for user in users if user.enabled), key=lambda user: user.id)
    if not users:
        return []
    ids = [user.id for user in users]
    own = defaultdict(list)
    for channel in await Channel.filter(owner_id__in=ids).order_by("id").select_related("owner"):
        if _may_be_used(channel):
            own[channel.owner_id].append(place_of(channel))
    rules = await _rules(ids)
    usual = Preference()
    wishes = {row.user_id: row for row in await Preference.filter(user_id__in=ids)}
    mail = await condition.of_mail(ids)
    return [
        Person(
            id=user.id,
            name=user.name,
            timezone=timezone_of(user),
            language=user.language or Language.ENGLISH,
            own_mail=(
                own_mail_of(user, mail.get(user.id))
                if wishes.get(user.id, usual).is_mailed
                else None
            ),
            is_mailed=wishes.get(user.id, usual).is_mailed,
            channels=tuple(own[user.id]),
            rules=tuple(rules[user.id]),
            rest=wishes.get(user.id, usual).rest,
            is_told_of_critical=(
                user.role != Role.AUDITOR and wishes.get(user.id, usual).is_told_of_critical
            ),
            is_responsible=user.role in RESPONSIBLE,
            has_address=bool(user.email),
        )
        for user in users
    ]


async def _rules(user_ids: list[int]) -> dict[int, list[RoutingRule]]:
    found: dict[int, list[RoutingRule]] = defaultdict(list)
    rows = await Rule.filter(user_id__in=user_ids, enabled=True).order_by("id")
    if not rows:
        return found
    links = await RuleChannel.filter(rule_id__in=[row.id for row in rows]).select_related(
        "channel__owner"
    )
    readers = await _readers([link.channel for link in links])
    places = defaultdict(list)
    user_of = {row.id: row.user_id for row in rows}
    for link in links:
        channel, user_id = link.channel, user_of[link.rule_id]
        # it may be shared with them no longer
        if _may_be_used(channel) and user_id in readers[channel.id] | {channel.owner_id}:
            places[link.rule_id].append(place_of(channel))
    for row in rows:
        found[row.user_id].append(_rule(row, tuple(places[row.id])))
    return found


async def rule_of(row: Rule) -> RoutingRule:
    """One rule as it is looked at, whether or not it is enabled."""
    if row.enabled:
        names = (await _rules([row.user_id]))[row.user_id]
        ids = await Rule.filter(user_id=row.user_id, enabled=True).order_by("id")
        return names[[one.id for one in ids].index(row.id)]
    return _rule(row, ())


async def _readers(channels: list[Channel]) -> dict[int, set[int]]:
    """Who may use each of the channels because of a share."""
    found: dict[int, set[int]] = defaultdict(set)
    shares = await ChannelShare.filter(channel_id__in=[channel.id for channel in channels])
    if not shares:
        return found
    members = defaultdict(set)
    for row in await Membership.filter(group_id__in=[share.group_id for share in shares]):
        members[row.group_id].add(row.user_id)
    for share in shares:
        found[share.channel_id] |= members[share.group_id]
    return found


def _may_be_used(channel: Channel) -> bool:
    """Not where only an administrator may have such a channel, and its owner is none any more."""
    return channel.owner.is_admin or not sending.is_for_administrators(channel.kind)


def place_of(channel: Channel) -> Destination:
    error = _error_of(condition.of_row(channel))
    return Destination(
        channel_id=channel.id,
        name=channel.name,
        kind=channel.kind,
        enabled=channel.enabled,
        error=error,
    )


def own_mail_of(user: User, known: ChannelCondition | None) -> Destination | None:
    if not user.email or not sending.sends_mail():
        return None
    error = _error_of(known or ChannelCondition())
    return Destination(channel_id=None, name="own mail address", kind=OWN_MAIL, error=error)


def _error_of(found: ChannelCondition) -> str:
    return (found.last_error or "It fails.") if found.is_broken else ""


def timezone_of(user: User) -> ZoneInfo:
    try:
        return ZoneInfo(user.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def reader_of(user: User) -> Reader:
    """How texts for this user are written: in their language and time zone, else English, UTC."""
    zone = timezone_of(user)
    return Reader(user.language or Language.ENGLISH, None if zone.key == "UTC" else zone)


def _rule(row: Rule, places: tuple[Destination, ...]) -> RoutingRule:
    quiet = None
    if row.quiet_from is not None and row.quiet_to is not None:
        quiet = Quiet(row.quiet_from, row.quiet_to, row.is_quiet_for_critical)
    return RoutingRule(
        repository_id=row.repository_id,
        tag=row.tag,
        owner_id=row.owner_id,
        kinds=frozenset(str(kind) for kind in row.kinds),
        severity=row.severity,
        quiet=quiet,
        places=places,
        id=row.id,
        escalate_after=_escalate_after(row),
    )


def _escalate_after(row: Rule) -> timedelta | None:
    """None also where whom it was to go to is gone."""
    has_target = row.escalate_channel_id is not None or row.escalate_user_id is not None
    if row.escalate_after_minutes is None or not has_target:
        return None
    return timedelta(minutes=row.escalate_after_minutes)
