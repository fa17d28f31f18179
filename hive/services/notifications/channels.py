"""Channels that people set up, share, try and delete. Secrets never come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hive import clock
from hive.database import transactional
from hive.errors import Conflict, Forbidden, InvalidInput, NotFound, Sealed
from hive.kinds import Level, ShareLevel
from hive.models import Channel, ChannelShare, RuleChannel
from hive.sentences import N_, say
from hive.services import audit, names, references, shares
from hive.services.delivery import failing
from hive.services.outbox import condition, sending
from hive.services.outbox.condition import ChannelCondition
from hive.services.permissions import Actor, level_on, visible_channels
from hive.services.secrets import opens, seal_settings, settings_of
from hive.services.shares import GroupShare

if TYPE_CHECKING:
    from hive.notify.channel import ChannelSettings, SettingField

CLOSED = say(
    "Its settings cannot be opened: the key of the server is missing. Nothing can be sent."
)
UNREADABLE = say("This version does not know its settings: enter them again.")


@dataclass(frozen=True, kw_only=True)
class ChannelInfo:
    """`settings` hold no secret: what is set shows as a mask."""

    id: int
    name: str
    owner: str
    kind: str
    title: str
    description: str
    settings: Mapping[str, Any]
    enabled: bool
    groups: tuple[str, ...]
    rules: tuple[str, ...]
    created_at: datetime
    shares: tuple[GroupShare, ...]
    condition: ChannelCondition
    waiting: int  # messages
    given_up: int  # since it fails

    @property
    def state(self) -> str:
        """In a few words: "works", "failing since 05:29", "disabled", "not tried yet"."""
        known = self.condition
        if not self.enabled:
            return "disabled"
        if known.failing_since is not None:
            return say("failing since %(since)s", since=known.failing_since)
        return "works" if known.worked_at is not None else say("not tried yet")

    @property
    def backlog(self) -> str:
        """What waits because it fails; empty where nothing does."""
        if not self.condition.fails or not self.waiting:
            return ""
        if self.waiting == 1:
            return say("1 message waits")
        return say("%(count)s waiting behind one that failed", count=self.waiting - 1)


@dataclass(frozen=True, kw_only=True)
class KindInfo:
    kind: str
    title: str
    fields: tuple[SettingField, ...]
    administrators_only: bool


def kinds() -> list[KindInfo]:
    """What there is, with what each needs to know."""
    return [
        KindInfo(
            kind=kind,
            title=channel.title,
            fields=channel.fields(),
            administrators_only=channel.administrators_only,
        )
        for kind, channel in sending.channels().items()
    ]


def offered(actor: Actor) -> list[KindInfo]:
    """The kinds that the actor may set up."""
    return [info for info in kinds() if actor.is_admin or not info.administrators_only]


def kind_of(info: ChannelInfo) -> KindInfo | None:
    """What a channel's settings are made of; None where this version does not know its kind."""
    return next((one for one in kinds() if one.kind == info.kind), None)


async def find(actor: Actor, reference: str) -> Channel:
    """The channel of this name, OWNER/NAME or id that the actor may see."""
    visible = Channel.filter(await visible_channels(actor))
    meant = references.owned_thing(Channel, reference)
    rows = await visible.filter(meant).distinct().limit(2)
    return references.the_one(
        rows,
        reference,
        several=N_("%(reference)r can be several channels: say OWNER/NAME or the id."),
        none=N_("There is no channel %(reference)r."),
    )


async def find_by_id(actor: Actor, channel_id: int) -> ChannelInfo:
    """The channel of this id that the actor may see."""
    return await info_of(await get_by_id(actor, channel_id))


async def get_by_id(actor: Actor, channel_id: int) -> Channel:
    """The row itself, for other services."""
    row = await Channel.get_or_none(id=channel_id)
    if row is None or await level_on(actor, row) < Level.VIEW:
        raise NotFound("There is no such channel.")
    return row


async def level(actor: Actor, channel_id: int) -> Level:
    """How far the actor's rights on the channel reach."""
    row = await Channel.get_or_none(id=channel_id)
    return Level.NONE if row is None else await level_on(actor, row)


async def require_manage(actor: Actor, channel_id: int) -> None:
    """Raise as a change of the channel would."""
    await changeable(actor, channel_id)


async def changeable(actor: Actor, channel_id: int) -> Channel:
    """The row itself, for one who may change it."""
    channel = await get_by_id(actor, channel_id)
    if await level_on(actor, channel) < Level.MANAGE:
        raise Forbidden("You may use the channel %(name)s, but not change it.", name=channel.name)
    return channel


@transactional
async def add(
    actor: Actor,
    name: str,
    *,
    owner: str,
    kind: str,
    settings: Mapping[str, Any],
    groups: Sequence[str] = (),
) -> ChannelInfo:
    """Add a channel; InvalidInput names the setting that is wrong."""
    user = await references.new_owner(actor, owner)
    channel = sending.channel(kind)
    if channel.administrators_only and not (actor.is_admin and user.is_admin):
        raise Forbidden("Only administrators have channels of kind %(kind)s.", kind=kind)
    name = await _free_name(name, user.id)
    stored = channel.stored(channel.read(settings))
    row = await Channel.create(owner_id=user.id, name=name, kind=kind, created_at=clock.now())
    await seal_settings(row, stored)
    await row.save(update_fields=["settings"])
    for group in groups:
        await share(actor, row.id, group)
    await audit.record(actor, "channel.add", f"channel {name} ({kind})", owner=user.name)
    return await info_of(row)


async def _free_name(name: str, owner_id: int, besides: int = 0) -> str:
    title = names.check_title(name, "channel")
    if await Channel.filter(owner_id=owner_id, name=title).exclude(id=besides).exists():
        raise Conflict(
            "There is a channel %(title)s of this owner already.", field="name", title=title
        )
    return title


@transactional
async def change(
    actor: Actor,
    channel_id: int,
    *,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    enabled: bool | None = None,
    share_levels: Mapping[str, ShareLevel | None] | None = None,
) -> ChannelInfo:
    """Change what is given; of the settings, what is not given stays, secrets too.

    `share_levels`: groups with their new level, None for no longer; others keep what they have.
    """
    row = await changeable(actor, channel_id)
    before = await _audited(row)
    if name is not None and name != row.name:
        row.name = await _free_name(name, row.owner_id, row.id)
    if settings is not None:
        await seal_settings(row, await _new_settings(actor, row, settings))
    if enabled is not None:
        row.enabled = enabled
    await row.save()
    if enabled is False:
        await failing.end(row.id)
    await _set_levels(actor, row, share_levels or {})
    await audit.record(
        actor,
        "channel.set",
        f"channel {row.name} ({row.kind})",
        **audit.changes(before, await _audited(row)),
    )
    return await info_of(row)


async def _audited(row: Channel) -> dict[str, object]:
    """Settings with their secrets masked."""
    settings = _read(row)
    shown = {} if settings is None else sending.channel(row.kind).masked(settings)
    return {
        **shown,
        **audit.values_of(row, "name", "enabled"),
        "shared_with": await shares.levels_of(row),
    }


async def _set_levels(actor: Actor, row: Channel, levels: Mapping[str, ShareLevel | None]) -> None:
    before = {share.group: share.level for share in (await _shares([row.id]))[row.id]}
    for group, level in levels.items():
        if level is None and group in before:
            await unshare(actor, row.id, group)
        elif level is not None and before.get(group) != level:
            await share(actor, row.id, group, level)


async def _shares(channel_ids: Sequence[int]) -> dict[int, list[GroupShare]]:
    """Of each channel, by the names of the groups."""
    found: dict[int, list[GroupShare]] = {one: [] for one in channel_ids}
    rows = ChannelShare.filter(channel_id__in=list(channel_ids)).select_related("group")
    for row in await rows.order_by("group__name"):
        found[row.channel_id].append(GroupShare(row.group.name, row.level))
    return found


async def _new_settings(actor: Actor, row: Channel, given: Mapping[str, Any]) -> dict[str, Any]:
    """The stored settings with what is given now; a share does not bypass who may use a kind."""
    channel = sending.channel(row.kind)
    if channel.administrators_only and not actor.is_admin:
        raise Forbidden("Only administrators set up channels of kind %(kind)s.", kind=row.kind)
    before = _read(row)
    if before is None:  # another version wrote them: all have to be given again
        return channel.stored(channel.read(given))
    if await level_on(actor, row) < Level.OWN:
        _require_secrets_known(channel.fields(), settings_of(row), given)
    return channel.stored(channel.read({**channel.masked(before), **given}, before=before))


def _require_secrets_known(
    fields: Sequence[SettingField], stored: Mapping[str, Any], given: Mapping[str, Any]
) -> None:
    """Who changes where secrets go must know them: else a share would be a way to read them."""
    moved = [
        field.name
        for field in fields
        if "://" in str(given.get(field.name, "")) and given[field.name] != stored.get(field.name)
    ]
    mask = sending.mask()
    kept = [
        field.name
        for field in fields
        if field.secret
        and field.name not in moved
        and stored.get(field.name)
        and given.get(field.name, mask) == mask
    ]
    if moved and kept:
        raise InvalidInput(
            "To change %(moved)s, a user who is not the owner must enter %(kept)s again.",
            field=kept[0],
            moved=moved[0],
            kept=", ".join(kept),
        )


def _read(row: Channel) -> ChannelSettings | None:
    """The stored settings; None where they cannot be opened, or this version does not know them."""
    try:
        return sending.channel(row.kind).read(settings_of(row))
    except (InvalidInput, Sealed):
        return None


@transactional
async def delete(actor: Actor, channel_id: int, *, with_rules: bool = False) -> None:
    """Delete a channel; Conflict names the rules that use it, unless they may lose it."""
    row = await changeable(actor, channel_id)
    links = await RuleChannel.filter(channel_id=row.id).select_related("rule")
    if links and not with_rules:
        used = ", ".join(sorted(link.rule.name for link in links))
        raise Conflict("The channel %(name)s is used by rules: %(used)s.", name=row.name, used=used)
    await failing.end(row.id)
    await row.delete()
    await audit.record(actor, "channel.delete", f"channel {row.name} ({row.kind})")


@transactional
async def share(
    actor: Actor, channel_id: int, group: str, level: ShareLevel = ShareLevel.VIEW
) -> None:
    """Let a group's members use the channel in their rules, or manage it."""
    row = await changeable(actor, channel_id)
    await shares.share(actor, row, [group], level)
    await audit.record(actor, "channel.share", f"channel {row.name}", group=group)


@transactional
async def unshare(actor: Actor, channel_id: int, group: str) -> None:
    row = await changeable(actor, channel_id)
    await shares.unshare(actor, row, [group])
    await audit.record(actor, "channel.unshare", f"channel {row.name}", group=group)


async def list_channels(actor: Actor) -> list[ChannelInfo]:
    rows = await Channel.filter(await visible_channels(actor)).distinct().order_by("name", "id")
    return await _infos(rows)


async def list_failing(actor: Actor, *, owner_id: int | None = None) -> list[ChannelInfo]:
    """The enabled channels that fail, of all that the actor may see or of those of one user."""
    query = Channel.filter(await visible_channels(actor), enabled=True).distinct()
    if owner_id is not None:
        query = query.filter(owner_id=owner_id)
    rows = [row for row in await query.order_by("name", "id") if condition.of_row(row).fails]
    return await _infos(rows)


@dataclass(frozen=True, kw_only=True)
class FailingChannel:
    """What a list says of a channel that fails."""

    id: int
    name: str
    condition: ChannelCondition


async def failing_in_short(actor: Actor) -> list[FailingChannel]:
    """The same as `list_failing` in few words, which takes one query."""
    query = Channel.filter(await visible_channels(actor), enabled=True).distinct()
    known = [(row, condition.of_row(row)) for row in await query.order_by("name", "id")]
    return [
        FailingChannel(id=row.id, name=row.name, condition=of_row)
        for row, of_row in known
        if of_row.fails
    ]


async def info_of(row: Channel) -> ChannelInfo:
    return (await _infos([row]))[0]


async def _infos(rows: Sequence[Channel]) -> list[ChannelInfo]:
    if not rows:
        return []
    await Channel.fetch_for_list(list(rows), "owner")
    ids = [row.id for row in rows]
    shares = await _shares(ids)
    rules: dict[int, list[str]] = {one: [] for one in ids}
    for link in await RuleChannel.filter(channel_id__in=ids).select_related("rule"):
        rules[link.channel_id].append(link.rule.name)
    counts = await condition.counts(ids)
    return [_info(row, shares[row.id], sorted(rules[row.id]), counts[row.id]) for row in rows]


def _info(
    row: Channel, shares: Sequence[GroupShare], rules: Sequence[str], counts: tuple[int, int]
) -> ChannelInfo:
    title: str = row.kind
    description: str = UNREADABLE
    shown: dict[str, Any] = {}
    if not opens(row):
        description = CLOSED
    settings = _read(row)
    if settings is not None:
        channel = sending.channel(row.kind)
        title, description = channel.title, channel.describe(settings)
        shown = channel.masked(settings)
    return ChannelInfo(
        id=row.id,
        name=row.name,
        owner=row.owner.name,
        kind=row.kind,
        title=title,
        description=description,
        settings=shown,
        enabled=row.enabled,
        groups=tuple(share.group for share in shares),
        rules=tuple(rules),
        created_at=row.created_at,
        shares=tuple(shares),
        condition=condition.of_row(row),
        waiting=counts[0],
        given_up=counts[1],
    )
