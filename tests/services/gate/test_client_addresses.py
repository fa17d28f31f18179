"""Bans, exemptions, and what administrators hear of addresses that are turned away."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hive import clock, signals
from hive.errors import Conflict, Forbidden, InvalidInput, NotFound
from hive.kinds import Access, AddressRuling, AddressTrouble
from hive.models import AddressRecord, AuditEntry, Notification
from hive.services.gate import client_addresses
from hive.services.gate.client_addresses import Observation
from hive.services.notifications import channels
from hive.services.permissions import OPERATOR
from hive.signals import AddressesChanged
from tests import factories
from tests.factories import People

TURNED_AWAY = AddressTrouble.TURNED_AWAY


def turned_away(address: str) -> Observation:
    return Observation(address=address, trouble=TURNED_AWAY, reason="Too many connections.")


async def test_only_administrators_see_and_decide(people: People) -> None:
    for call in (
        client_addresses.list_addresses(people.alice),
        client_addresses.ban(people.alice, "198.51.100.1"),
        client_addresses.allow(people.alice, "198.51.100.1"),
        client_addresses.release(people.alice, "198.51.100.1"),
    ):
        with pytest.raises(Forbidden):
            await call
    assert await client_addresses.without_common_algorithm(people.alice) == []


async def test_a_ban_holds_for_the_gate_until_it_is_released(people: People) -> None:
    told: list[signals.Happening] = []
    unsubscribe = signals.subscribe(told.append)
    await client_addresses.ban(people.admin, "198.51.100.0/24", reason="scans us")
    await client_addresses.allow(people.admin, "198.51.100.7")
    rules = await client_addresses.rules()
    banned, allowed = rules.find("198.51.100.8"), rules.find("198.51.100.7")
    assert banned is not None
    assert allowed is not None
    assert (banned.verdict, allowed.verdict) == (AddressRuling.BAN, AddressRuling.ALLOW)
    assert rules.find("198.51.101.8") is None
    shown = {one.network: one for one in await client_addresses.list_addresses(people.admin)}
    assert shown["198.51.100.0/24"].reason == "scans us"
    assert shown["198.51.100.0/24"].created_by == "admin"
    await client_addresses.release(people.admin, "198.51.100.0/24")
    assert (await client_addresses.rules()).find("198.51.100.8") is None
    unsubscribe()
    assert told == [
        AddressesChanged(),
        AddressesChanged(),
        AddressesChanged("198.51.100.0/24"),
    ]
    actions = [row.action for row in await AuditEntry.filter(action__startswith="address.")]
    assert actions == ["address.ban", "address.allow", "address.release"]


async def test_nobody_bans_an_address_that_is_in_use_by_mistake(people: People) -> None:
    # The browser of the administrator is at 192.0.2.1.
    with pytest.raises(Conflict, match="Your own address"):
        await client_addresses.ban(people.admin, "192.0.2.0/24")
    await client_addresses.ban(people.admin, "192.0.2.0/24", is_confirmed=True)


async def test_an_expired_ban_is_over(people: People) -> None:
    soon = clock.now() + timedelta(hours=1)
    await client_addresses.ban(people.admin, "198.51.100.7", expires_at=soon)
    rule = (await client_addresses.rules()).find("198.51.100.7")
    assert rule is not None
    assert rule.holds
    clock.use(lambda: soon + timedelta(seconds=1))
    assert [rule.holds] == [False]
    assert await client_addresses.list_addresses(people.admin) == []


@pytest.mark.parametrize("text", ["", "somewhere", "198.51.100.1/24", "1.2.3.4.5", "x" * 1000])
async def test_what_is_no_network_is_refused_in_words(people: People, text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a network"):
        await client_addresses.ban(people.admin, text)


async def test_there_is_nothing_to_release(people: People) -> None:
    with pytest.raises(NotFound, match="nothing to release"):
        await client_addresses.release(people.admin, "198.51.100.7")


async def notify_admin(people: People) -> None:
    settings = {"url": "https://example.org/hook"}
    await channels.add(people.admin, "hook", owner="admin", kind="webhook", settings=settings)


async def test_administrators_hear_of_each_address_once_an_hour(people: People) -> None:
    await notify_admin(people)
    begin = clock.now()

    async def at(minutes: int, *addresses: str) -> list[str]:
        clock.use(lambda: begin + timedelta(minutes=minutes))
        before = await Notification.all().count()
        await client_addresses.note([turned_away(address) for address in addresses])
        rows = await Notification.all().order_by("id").offset(before)
        return [row.text for row in rows]

    (text,) = await at(0, "198.51.100.1")
    assert "198.51.100.1 (1 times): Too many connections." in text
    assert "`ssh.max_waiting_per_address`" in text
    assert await at(5, "198.51.100.1", "198.51.100.2") == []
    (text,) = await at(11, "198.51.100.1", "198.51.100.3")
    # Whom nobody heard of in between is in it, and who was named an hour ago is not.
    assert "198.51.100.2" in text
    assert "198.51.100.3" in text
    assert "198.51.100.1" not in text
    (text,) = await at(75, "198.51.100.1")
    assert "198.51.100.1 (4 times)" in text


async def test_a_crowd_is_one_notification_and_a_bounded_number_of_rows(people: People) -> None:
    await notify_admin(people)
    await client_addresses.note([turned_away(f"10.0.{n // 250}.{n % 250}") for n in range(1100)])
    assert await Notification.all().count() == 1
    assert await AddressRecord.all().count() == 1_000
    await client_addresses.note([turned_away("198.51.100.9")])
    assert await AddressRecord.all().count() == 1_000
    assert await AddressRecord.filter(address="198.51.100.9").exists()


async def test_an_address_that_logged_in_is_known_to_the_gate(people: People) -> None:
    key = await factories.make_key(people.alice)
    repository = await factories.make_repository(people.alice, accesses={"laptop": Access.FULL})
    await factories.open_session(repository, key)
    (peer,) = await client_addresses.recent_peers()
    with pytest.raises(Conflict, match="Clients logged in from"):
        await client_addresses.ban(OPERATOR, peer)
