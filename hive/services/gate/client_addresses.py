"""Addresses that clients connect from: rules of administrators, and what went wrong at the door.

A rule bans a network from the SSH gate or frees it from the limits of one address. What went
wrong (turned away, slowed down, no common algorithm) is kept in a bounded number of rows, and
administrators are notified at most once an hour of one address and once in ten minutes of all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hive import addresses, clock, signals
from hive.addresses import Network, Table
from hive.database import after_commit, transactional
from hive.errors import Conflict, InvalidInput, NotFound
from hive.kinds import AddressRuling, AddressTrouble, EventKind, Severity
from hive.models import AddressRecord, AddressRule, Session
from hive.sentences import say
from hive.services import audit
from hive.services.clock import trust
from hive.services.outbox import outbox
from hive.services.permissions import Actor, require_operator, require_sight

LATELY = timedelta(days=30)
_MAX_RECORDS = 1_000
_MAX_RULES = 1_000
_MAX_SESSIONS = 100_000  # the newest ones, to find addresses that logged in
_MAX_REASON = 300
_NOTIFY_ADDRESS = timedelta(hours=1)
_NOTIFY_ALL = timedelta(minutes=10)
_NAMED = 5  # addresses in one notification


@dataclass(frozen=True)
class Ruling:
    """What holds for a network, and until when."""

    verdict: AddressRuling
    expires_at: datetime | None

    @property
    def holds(self) -> bool:
        return self.expires_at is None or self.expires_at > clock.now()


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What went wrong at the door with connections from one address."""

    address: str
    trouble: AddressTrouble
    reason: str
    client: str = ""
    count: int = 1

    def after(self, before: Observation | None) -> Observation:
        return self if before is None else replace(self, count=self.count + before.count)


@dataclass(frozen=True, kw_only=True)
class TroubleInfo:
    trouble: AddressTrouble
    count: int
    reason: str
    client: str
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, kw_only=True)
class AddressInfo:
    """An address or network: what was decided about it, and what went wrong there."""

    network: str
    ruling: AddressRuling | None = None
    reason: str = ""
    created_by: str = ""
    expires_at: datetime | None = None
    troubles: tuple[TroubleInfo, ...] = ()

    @property
    def last_at(self) -> datetime | None:
        return max((trouble.last_at for trouble in self.troubles), default=None)


# what the gate asks and reports


async def rules() -> Table[Ruling]:
    """All rules, for a fast look at every connection."""
    rows = await AddressRule.all().limit(_MAX_RULES)
    return Table.of(
        {addresses.parse_network(row.network): Ruling(row.ruling, row.expires_at) for row in rows}
    )


async def recent_peers() -> list[str]:
    """Addresses that logged in lately."""
    newest = await Session.all().order_by("-id").first()
    if newest is None:
        return []
    rows = await _recent(newest.id).distinct().values_list("peer", flat=True)
    return [str(row) for row in rows]


def _recent(newest_id: int):  # type: ignore[no-untyped-def]  # noqa: ANN202 - the ORM's query
    since = clock.now() - LATELY
    return Session.filter(id__gt=newest_id - _MAX_SESSIONS, started_at__gt=since)


@transactional
async def note(observations: Sequence[Observation]) -> None:
    """Keep what the gate observed, and notify administrators of who was turned away."""
    now = clock.now()
    known = await AddressRecord.filter(address__in=[seen.address for seen in observations])
    rows = {(row.address, row.trouble): row for row in known}
    new = []
    for seen in observations:
        row = rows.get((seen.address, seen.trouble))
        if row is None:
            row = AddressRecord(address=seen.address, trouble=seen.trouble, count=0, first_at=now)
            new.append(row)
        row.count += seen.count
        row.reason, row.client, row.last_at = seen.reason, seen.client[:255], now
    await AddressRecord.bulk_create(new)
    if known:
        await AddressRecord.bulk_update(known, fields=["count", "reason", "client", "last_at"])
    old = await AddressRecord.all().order_by("-last_at", "-id").offset(_MAX_RECORDS).limit(1000)
    await AddressRecord.filter(id__in=[row.id for row in old]).delete()
    await _notify(now)


async def _notify(now: datetime) -> None:
    turned_away = AddressRecord.filter(trouble=AddressTrouble.TURNED_AWAY)
    if await turned_away.filter(told_at__gt=now - _NOTIFY_ALL).exists():
        return
    rows = [
        row
        for row in await turned_away.filter(last_at__gt=now - _NOTIFY_ADDRESS).order_by("-last_at")
        if row.told_at is None
        or (row.last_at > row.told_at and now - row.told_at > _NOTIFY_ADDRESS)
    ]
    if not rows:
        return
    named = [
        say(
            "%(address)s (%(count)s times): %(reason)s",
            address=row.address,
            count=row.count,
            reason=row.reason,
        )
        for row in rows[:_NAMED]
    ]
    if len(rows) > _NAMED:
        named.append(
            say("%(count)s more addresses: see `hive address list`.", count=len(rows) - _NAMED)
        )
    named.append(
        say(
            "If these are your own machines, raise `ssh.max_waiting_per_address` and "
            "`ssh.new_connections_burst_per_address`, or allow the address: `hive "
            "address allow %(address)s`. To keep an address out: `hive address ban "
            "%(address)s`.",
            address=rows[0].address,
        )
    )
    await outbox.tell_administrators(
        f"addresses:{clock.rfc3339(now)}",
        EventKind.TURNED_AWAY,
        Severity.WARNING,
        say("SSH connections from %(address)s were turned away", address=rows[0].address),
        *named,
    )
    await AddressRecord.filter(id__in=[row.id for row in rows]).update(told_at=now)


# what administrators see and decide


async def list_addresses(actor: Actor) -> list[AddressInfo]:
    """Every rule, and every address that something went wrong with in the last 30 days."""
    require_sight(actor)
    found: dict[str, AddressInfo] = {}
    for rule in await AddressRule.all().order_by("-id").limit(_MAX_RULES):
        if rule.expires_at is None or rule.expires_at > clock.now():
            found[_written(addresses.parse_network(rule.network))] = _info(rule)
    records = AddressRecord.filter(last_at__gt=clock.now() - LATELY)
    for row in await records.order_by("-last_at", "-id").limit(_MAX_RECORDS):
        before = found.get(row.address) or AddressInfo(network=row.address)
        trouble = TroubleInfo(
            trouble=row.trouble,
            count=row.count,
            reason=row.reason,
            client=row.client,
            first_at=row.first_at,
            last_at=row.last_at,
        )
        found[row.address] = replace(before, troubles=(*before.troubles, trouble))
    return list(found.values())


async def without_common_algorithm(actor: Actor) -> list[AddressInfo]:
    """Clients whose algorithms the gate does not offer; nothing for who is no administrator."""
    if not actor.sees_all:
        return []
    return [
        replace(info, troubles=tuple(wrong))
        for info in await list_addresses(actor)
        if (wrong := [t for t in info.troubles if t.trouble == AddressTrouble.NO_COMMON_ALGORITHM])
    ]


async def ban(
    actor: Actor,
    text: str,
    *,
    expires_at: datetime | None = None,
    reason: str = "",
    is_confirmed: bool = False,
) -> AddressInfo:
    """Refuse connections to the SSH gate from a network; sessions that run there go on.

    Conflict where somebody logged in from there lately, or the actor is there, and that is not
    confirmed.
    """
    require_operator(actor)
    network = _network(text)
    if not is_confirmed:
        await _require_unused(actor, network)
    return await _rule(actor, AddressRuling.BAN, network, expires_at, reason)


async def allow(
    actor: Actor, text: str, *, expires_at: datetime | None = None, reason: str = ""
) -> AddressInfo:
    """Free a network from the limits that hold for one address."""
    require_operator(actor)
    return await _rule(actor, AddressRuling.ALLOW, _network(text), expires_at, reason)


@transactional
async def release(actor: Actor, text: str) -> str:
    """Take back what was decided about an address, and forget what went wrong there."""
    require_operator(actor)
    network = _network(text)
    written = _written(network)
    rules = await AddressRule.filter(network=str(network)).delete()
    group = addresses.limit_group(str(network.network_address))
    names = {written, group} if network.num_addresses == 1 else {written}
    records = await AddressRecord.filter(address__in=names).delete()
    wider = [
        row.network
        for row in await AddressRule.filter(ruling=AddressRuling.BAN)
        if _is_inside(network, addresses.parse_network(row.network))
    ]
    if wider:
        raise Conflict(
            "%(written)s is inside %(wider)s, which is banned: release that.",
            written=written,
            wider=wider[0],
        )
    if not rules and not records:
        raise NotFound("There is nothing to release at %(written)s.", written=written)
    await audit.record(actor, "address.release", written)
    released = group if network.num_addresses == 1 else written
    after_commit(lambda: signals.tell(signals.AddressesChanged(released)))
    return written


@transactional
async def _rule(
    actor: Actor,
    ruling: AddressRuling,
    network: Network,
    expires_at: datetime | None,
    reason: str,
) -> AddressInfo:
    if expires_at is not None and expires_at <= clock.now():
        raise InvalidInput("This time has passed already.", field="expires")
    if len(reason) > _MAX_REASON or not reason.isprintable():
        raise InvalidInput(
            "Write the reason in one line of at most %(max_reason)s characters.",
            field="reason",
            max_reason=_MAX_REASON,
        )
    if await trust.is_trusted():
        await AddressRule.filter(expires_at__lte=clock.now()).delete()
    row = await AddressRule.get_or_none(network=str(network))
    if row is None:
        if await AddressRule.all().count() >= _MAX_RULES:
            raise Conflict(
                "There are %(max_rules)s rules already: release some of them.", max_rules=_MAX_RULES
            )
        row = AddressRule(network=str(network))
    row.ruling, row.expires_at, row.reason = ruling, expires_at, reason
    row.created_by, row.created_at = actor.name, clock.now()
    await row.save()
    await audit.record(
        actor,
        f"address.{ruling}",
        _written(network),
        expires_at=clock.rfc3339(expires_at) if expires_at else None,
        reason=reason or None,
    )
    after_commit(lambda: signals.tell(signals.AddressesChanged()))
    return _info(row)


async def _require_unused(actor: Actor, network: Network) -> None:
    written = _written(network)
    if actor.address and addresses.is_in(actor.address, [str(network)]):
        raise Conflict(
            "Your own address %(actor_address)s is in %(written)s. Confirm the ban if you mean it.",
            field="confirmed",
            actor_address=actor.address,
            written=written,
        )
    # There may be tens of thousands of them.
    peers = await asyncio.to_thread(_inside, await recent_peers(), network)
    if peers:
        last = await Session.filter(peer__in=peers[:100]).order_by("-id").first()
        when = (
            say(", last %(login)s at %(started_at)s", login=last.login, started_at=last.started_at)
            if last
            else ""
        )
        raise Conflict(
            "Clients logged in from %(written)s in the last %(days)s days%(when)s. Confirm the"
            " ban if you mean it: they could no longer back up.",
            field="confirmed",
            written=written,
            days=LATELY.days,
            when=when,
        )


def _inside(peers: Sequence[str], network: Network) -> list[str]:
    return [
        peer
        for peer in peers
        if (address := addresses.parse(peer)) is not None and address in network
    ]


def _network(text: str) -> Network:
    try:
        return addresses.parse_network(text)
    except ValueError as error:
        raise InvalidInput(
            "%(text)r is not a network: write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/64"
            " (%(error)s).",
            field="network",
            text=text[:60],
            error=error,
        ) from None


def _is_inside(network: Network, other: Network) -> bool:
    return (
        network.version == other.version
        and other.prefixlen < network.prefixlen
        and network.network_address in other
    )


def _written(network: Network) -> str:
    """A network of one is written as its address."""
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _info(row: AddressRule) -> AddressInfo:
    return AddressInfo(
        network=_written(addresses.parse_network(row.network)),
        ruling=row.ruling,
        reason=row.reason,
        created_by=row.created_by,
        expires_at=row.expires_at,
    )
