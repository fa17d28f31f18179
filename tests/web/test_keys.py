from __future__ import annotations

import base64
from datetime import timedelta

import aiohttp

from hive import clock
from hive.kinds import Access
from hive.models import Key, RefusedKey
from hive.services.accounts import groups
from hive.services.keys import grants, keys, refused_keys
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from tests.web.browser import Answer, Browser
from tests.web.rows import public_key


async def upload(browser: Browser, content: bytes, **fields: str) -> Answer:
    form = aiohttp.FormData(fields)
    form.add_field("file", content, filename="id.pub", content_type="text/plain")
    headers = {"Origin": browser.origin}
    return await browser.ask("POST", "/keys/add", data=form, headers=headers)


async def test_a_key_is_added_by_paste(browser: Browser, alice: Actor) -> None:
    await browser.log_in("alice")
    line = public_key()
    typed = {"name": "laptop", "public_key": f"{line} alice@laptop\n", "expires": "+90d"}
    answer = await browser.post("/keys/add", {**typed, "networks": "192.0.2.0/24\n2001:db8::1"})
    key = await keys.find_key(alice, "laptop")
    assert (answer.status, answer.location) == (303, f"/keys/{key.id}")
    assert (key.owner, key.line, key.comment) == ("alice", line, "alice@laptop")
    assert key.networks == ("192.0.2.0/24", "2001:db8::1/128")
    assert key.expires_at is not None
    text = (await browser.get(answer.location)).text
    assert "The key laptop was added." in text
    assert key.fingerprint in text
    assert "The key laptop was added." not in (await browser.get(answer.location)).text


async def test_a_key_is_added_by_its_file(browser: Browser, alice: Actor) -> None:
    await browser.log_in("alice")
    line = public_key()
    answer = await upload(browser, f"{line}\n".encode(), name="nas", public_key="")
    assert answer.status == 303
    assert (await keys.find_key(alice, "nas")).line == line


async def test_a_wrong_file_is_told_and_what_was_typed_stays(
    browser: Browser, alice: Actor
) -> None:
    await browser.log_in("alice")
    pem = b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\n"
    answer = await upload(browser, pem, name="nas", networks="192.0.2.1", public_key="")
    assert answer.status == 422
    assert "This is a private key, and it must never leave the client." in answer.text
    assert 'value="nas"' in answer.text
    assert ">192.0.2.1</textarea>" in answer.text
    assert "b3BlbnNz" not in answer.text
    assert (await upload(browser, b"\xff\xfe\x00", name="nas")).status == 422
    assert (await upload(browser, b"x" * 100_000, name="nas")).status == 413
    both = await upload(browser, public_key().encode(), name="a", public_key=public_key())
    assert "not both" in both.text
    assert not await Key.exists()


async def test_all_that_is_wrong_is_said_beside_the_fields_and_above_them(
    browser: Browser, alice: Actor
) -> None:
    await browser.log_in("alice")
    answer = await browser.post(
        "/keys/add", {"name": "x", "public_key": public_key(), "expires": "soon"}
    )
    assert answer.status == 422
    assert '<a href="#expires">' in answer.text
    assert 'aria-describedby="problem-expires hint-expires"' in answer.text
    assert "is not a point in time" in answer.text
    assert 'value="soon"' in answer.text


async def test_nobody_adds_a_key_for_somebody_else(
    browser: Browser, alice: Actor, bob: Actor
) -> None:
    await browser.log_in("bob")
    typed = {"name": "x", "public_key": public_key(), "owner": "alice"}
    assert (await browser.post("/keys/add", typed)).status == 303
    assert (await keys.find_key(bob, "x")).owner == "bob"


async def test_saving_a_key_unchanged_changes_nothing(browser: Browser, alice: Actor) -> None:
    made = await keys.add_key(
        alice,
        keys.AddKey(
            name="laptop",
            owner="alice",
            text=public_key(),
            expires_at=(clock.now() + timedelta(days=3)).replace(microsecond=0),
            networks=["192.0.2.0/24"],
        ),
    )
    await browser.log_in("alice")
    page = (await browser.get(f"/keys/{made.id}")).text
    expires = page.partition('name="expires" type="text" value="')[2].partition('"')[0]
    typed = {"name": "laptop", "enabled": "yes", "expires": expires, "networks": "192.0.2.0/24"}
    assert (await browser.post(f"/keys/{made.id}", typed)).status == 303
    assert await keys.find_key_by_id(alice, made.id) == made


async def test_before_a_key_is_deleted_it_is_told_what_it_opens(
    browser: Browser, alice: Actor
) -> None:
    made = await keys.add_key(alice, keys.AddKey(name="laptop", owner="alice", text=public_key()))
    await catalogue.add_repository(
        alice, "documents", owner="alice", accesses={"laptop": Access.FULL}
    )
    await browser.log_in("alice")
    text = (await browser.get(f"/keys/{made.id}/delete")).text
    assert "documents</bdi>" in text
    assert "It opens one repository." in text
    assert await Key.exists()
    assert (await browser.post(f"/keys/{made.id}/delete")).status == 303
    assert not await Key.exists()


def data(line: str) -> bytes:
    return base64.b64decode(line.split()[1])


async def test_a_key_that_knocked_is_let_in_with_two_clicks(browser: Browser, alice: Actor) -> None:
    made = await catalogue.add_repository(alice, "documents", owner="alice")
    line = public_key()
    for _ in range(3):
        await refused_keys.note(made.id, data(line), "192.0.2.9")
    await browser.log_in("alice")
    listed = (await browser.get("/keys")).text
    assert "3 times" in listed
    path = listed.partition('href="/keys/refused/')[2].partition('"')[0]
    form = (await browser.get(f"/keys/refused/{path}")).text
    name = form.partition('name="name" type="text" value="')[2].partition('"')[0]
    answer = await browser.post(f"/keys/refused/{path}", {"name": name, "access": "full"})
    assert answer.status == 303
    info = await catalogue.find_repository_by_id(alice, made.id)
    assert [(key.name, key.access) for key in info.keys] == [("documents 192.0.2.9", "full")]
    assert (await keys.find_key(alice, "documents 192.0.2.9")).line == line
    assert not await RefusedKey.exists()


async def test_a_key_that_is_stored_already_is_only_given_access(
    browser: Browser, alice: Actor
) -> None:
    made = await catalogue.add_repository(alice, "documents", owner="alice")
    line = public_key()
    laptop = await keys.add_key(alice, keys.AddKey(name="laptop", owner="alice", text=line))
    await refused_keys.note(made.id, data(line), "192.0.2.9")
    refused = (await refused_keys.list_refused(alice))[0]
    assert refused.known_as == "laptop"
    await browser.log_in("alice")
    answer = await browser.post(f"/keys/refused/{refused.id}", {"access": "read-only"})
    assert answer.location == f"/keys/{laptop.id}"
    assert (await keys.find_key(alice, "laptop")).uses[0].access == Access.READ_ONLY


async def test_what_an_administrator_lets_in_belongs_to_the_owner(
    root: Actor, alice: Actor
) -> None:
    made = await catalogue.add_repository(alice, "documents", owner="alice")
    await refused_keys.note(made.id, data(public_key()), "192.0.2.9")
    refused = (await refused_keys.list_refused(root))[0]
    key = await refused_keys.let_in(
        root, refused.id, refused_keys.LetIn(name="nas", access=Access.FULL)
    )
    assert key.owner == "alice"


async def test_no_crowd_of_keys_fills_the_database(alice: Actor) -> None:
    """Whoever knows a login may offer keys for ever."""
    made = await catalogue.add_repository(alice, "documents", owner="alice")
    lines = [public_key() for _ in range(refused_keys.MAX_PER_REPOSITORY + 5)]
    for line in lines:
        await refused_keys.note(made.id, data(line), "192.0.2.9")
    kept = await refused_keys.list_refused(alice)
    assert len(kept) == refused_keys.MAX_PER_REPOSITORY
    await refused_keys.note(made.id, b"\x00\x00\x00\x0bnonsense", "192.0.2.9")
    await refused_keys.note(made.id, b"", "192.0.2.9")
    await refused_keys.note(made.id, b"\xff" * 100, "192.0.2.9")
    assert await RefusedKey.all().count() == refused_keys.MAX_PER_REPOSITORY


async def test_the_list_tells_who_shares_only_their_own(
    root: Actor, alice: Actor, bob: Actor
) -> None:
    await groups.add_group(root, groups.AddGroup(name="family", members=["alice", "bob"]))
    for number in range(3):
        await keys.add_key(
            alice,
            keys.AddKey(name=f"k{number}", owner="alice", text=public_key(), groups=["family"]),
        )
    made = await catalogue.add_repository(alice, "secret", owner="alice")
    await grants.change_access(alice, made.id, grants.ChangeAccess(accesses={"k0": Access.FULL}))
    assert [len(key.uses) for key in await keys.list_keys(alice)] == [1, 0, 0]
    assert [len(key.uses) for key in await keys.list_keys(bob)] == [0, 0, 0]
    assert [len(key.uses) for key in await keys.list_keys(root)] == [1, 0, 0]


async def test_a_key_is_replaced_on_its_page(browser: Browser, alice: Actor, bob: Actor) -> None:
    old = await keys.add_key(alice, keys.AddKey(name="laptop", text=public_key()))
    await catalogue.add_repository(
        alice, "documents", owner="alice", accesses={"laptop": Access.FULL}
    )
    await browser.log_in("alice")
    here = f"/keys/{old.id}"
    assert f'href="{here}/replace"' in (await browser.get(here)).text
    assert "documents" in (await browser.get(f"{here}/replace")).text
    wrong = await browser.post(f"{here}/replace", {"public_key": old.line, "old": "disable"})
    assert wrong.status == 422
    assert "This is the key that is to be replaced." in wrong.text
    typed = {"public_key": public_key(), "old": "delete", "expires": "+5d"}
    answer = await browser.post(f"{here}/replace", typed)
    assert answer.status == 303
    (key,) = await keys.list_keys(alice)
    assert answer.location == f"/keys/{key.id}"
    assert [use.repository for use in key.uses] == ["documents"]
    page = (await browser.get(answer.location)).text
    assert "taken over: 1." in page
    # an end that is near is told where the key is, and in the list
    assert "Clients that use it cannot log in after that." in page
    assert '<strong class="wait">expires' in (await browser.get("/keys")).text
