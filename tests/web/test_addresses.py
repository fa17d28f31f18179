"""The page of client addresses, and twins of keys in the browser."""

from __future__ import annotations

from hive.kinds import AddressRuling, AddressTrouble
from hive.services.gate import client_addresses
from hive.services.gate.client_addresses import Observation
from hive.services.keys import keys
from hive.services.permissions import OPERATOR, Actor
from tests.web.browser import Browser
from tests.web.rows import public_key

PAGE = "/admin/addresses"
DROPBEAR = Observation(
    address="198.51.100.9",
    trouble=AddressTrouble.NO_COMMON_ALGORITHM,
    reason="`ssh.algorithms = compatible` accepts this client.",
    client="SSH-2.0-dropbear_2022.83<b>\x1b[2J",
)


async def test_an_administrator_bans_and_releases_an_address(browser: Browser, root: Actor) -> None:
    await browser.log_in("root")
    turned_away = Observation(
        address="198.51.100.7", trouble=AddressTrouble.TURNED_AWAY, reason="Too many."
    )
    await client_addresses.note([turned_away, DROPBEAR])
    text = (await browser.get(PAGE)).text
    assert "198.51.100.7" in text
    assert "Too many." in text
    assert "dropbear_2022.83&lt;b&gt;" in text
    sent = {"network": "198.51.100.7", "ruling": "ban", "expires": "+1d", "reason": "scans us"}
    answer = await browser.post(PAGE, sent)
    assert (answer.status, answer.location) == (303, PAGE)
    assert "scans us" in (await browser.get(PAGE)).text
    rule = (await client_addresses.rules()).find("198.51.100.7")
    assert rule is not None
    assert rule.verdict == AddressRuling.BAN
    await browser.post(f"{PAGE}/release", {"network": "198.51.100.7"})
    assert (await client_addresses.rules()).find("198.51.100.7") is None


async def test_an_administrator_confirms_a_ban_of_their_own_address(
    browser: Browser, root: Actor
) -> None:
    await browser.log_in("root")
    sent = {"network": "127.0.0.0/8", "ruling": "ban"}
    answer = await browser.post(PAGE, sent)
    assert answer.status == 409
    assert "Your own address 127.0.0.1 is in 127.0.0.0/8" in answer.text
    assert 'name="confirmed"' in answer.text
    assert (await browser.post(PAGE, {**sent, "confirmed": "yes"})).status == 303


async def test_what_is_wrong_comes_back_with_the_form(browser: Browser, root: Actor) -> None:
    await browser.log_in("root")
    for wrong in (
        {"network": "everywhere", "ruling": "ban"},
        {"network": "198.51.100.7", "ruling": "kill"},
        {"network": "198.51.100.7", "ruling": "ban", "expires": "yesterday"},
        {"network": "198.51.100.7", "ruling": "ban", "reason": "x" * 301},
    ):
        answer = await browser.post(PAGE, wrong)
        assert answer.status == 422, wrong
        assert wrong["network"] in answer.text


async def test_administrators_see_clients_without_a_common_algorithm_beside_refused_keys(
    browser: Browser, root: Actor, alice: Actor
) -> None:
    await client_addresses.note([DROPBEAR])
    await browser.log_in("alice")
    assert "dropbear" not in (await browser.get("/keys")).text
    await browser.post("/logout", {})
    await browser.log_in("root")
    text = (await browser.get("/keys")).text
    assert "dropbear_2022.83&lt;b&gt;" in text
    assert "`ssh.algorithms = compatible` accepts this client." in text


async def test_a_key_is_disabled_everywhere_with_a_button(
    browser: Browser, alice: Actor, bob: Actor
) -> None:
    line = public_key()
    mine = await keys.add_key(alice, keys.AddKey(name="laptop", owner="alice", text=line))
    copy = await keys.add_key(bob, keys.AddKey(name="copy", owner="bob", text=line))
    await browser.log_in("alice")
    page = (await browser.get(f"/keys/{mine.id}")).text
    assert "bob" not in page
    assert "Disable this key everywhere" in page
    await browser.post("/logout", {})
    await browser.log_in("root")
    page = (await browser.get(f"/keys/{mine.id}")).text
    assert f'href="/keys/{copy.id}"' in page
    assert "also stored by" in (await browser.get("/keys")).text
    answer = await browser.post(f"/keys/{mine.id}/disable-everywhere", {})
    assert answer.location == f"/keys/{mine.id}"
    for key in (mine, copy):
        assert not (await keys.find_key_by_id(OPERATOR, key.id)).enabled
    page = (await browser.get(answer.location)).text
    assert "This key was disabled: alice/laptop, bob/copy." in page
