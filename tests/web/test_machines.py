"""Adding a machine with one form, and the page that connects it."""

from __future__ import annotations

import re

import pytest

from hive import clock
from hive.kinds import Access, ArchiveCreated, Mode, Need, Operation, ShareLevel
from hive.models import RefusedKey, Repository
from hive.services.accounts import groups
from hive.services.health import infos as health_info
from hive.services.keys import grants, keys
from hive.services.keys.grants import ChangeAccess
from hive.services.permissions import OPERATOR, Actor
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from tests.web.browser import Browser
from tests.web.rows import add_session, public_key

TYPED = {
    "name": "laptop",
    "key_from": "new",
    "access": "append-only",
    "kind": "day",
    "day_at": "03:00",
    "timezone": "Europe/Berlin",
}
CLIENTS = ["borg", "borgmatic", "vorta", "pika", "systemd"]


async def the_machine(actor: Actor, *, access: Access = Access.APPEND_ONLY) -> RepositoryInfo:
    key = await keys.add_key(actor, keys.AddKey(name="laptop", text=public_key()))
    info = await catalogue.add_repository(actor, "laptop", owner=actor.name)
    await grants.change_access(actor, info.id, ChangeAccess(key_accesses={key.id: access}))
    return info


async def test_the_form_begins_with_what_most_machines_need(browser: Browser, alice: Actor) -> None:
    await browser.log_in("alice")
    page = (await browser.get("/machines/add")).text
    for chosen in ("key_from-new", "access-append-only", "kind-day"):
        assert re.search(rf'<input id="{chosen}"[^>]* checked', page), chosen
    assert 'name="day_at" type="time" value="03:00"' in page
    assert "data-browser-zone" in page


async def test_one_form_adds_key_repository_and_access(
    browser: Browser, root: Actor, alice: Actor
) -> None:
    await groups.add_group(root, groups.AddGroup(name="family", members=["alice"]))
    await browser.log_in("alice")
    more = {"public_key": public_key(), "quota": "2TB", "share-family": "view", "tag": "home, old"}
    answer = await browser.post("/machines/add", TYPED | more)
    info = await catalogue.find_repository(alice, "laptop")
    assert answer.location == f"/repositories/{info.id}/connect"
    assert [(key.name, key.access) for key in info.keys] == [("laptop", Access.APPEND_ONLY)]
    assert [(one.group, one.level) for one in info.groups] == [("family", ShareLevel.VIEW)]
    assert (info.mode, info.quota_bytes, info.owner) == (Mode.BORG, 2 * 10**12, "alice")
    health = await health_info.health_info(alice, info.id)
    assert (health.schedule.cron, health.schedule.timezone) == ("0 3 * * *", "Europe/Berlin")
    assert health.tags == ("home", "old")
    assert "Now connect it." in (await browser.get(answer.location)).text


async def test_a_stored_key_is_chosen_or_none(browser: Browser, alice: Actor) -> None:
    await keys.add_key(alice, keys.AddKey(name="nas", text=public_key()))
    await browser.log_in("alice")
    await browser.post("/machines/add", TYPED | {"key_from": "stored", "key": "nas"})
    info = await catalogue.find_repository(alice, "laptop")
    assert [key.name for key in info.keys] == ["nas"]
    await browser.post("/machines/add", TYPED | {"name": "later", "key_from": "later"})
    assert (await catalogue.find_repository(alice, "later")).keys == ()


async def test_what_a_later_key_is_to_do_is_kept_for_the_page_that_stores_it(
    browser: Browser, alice: Actor
) -> None:
    await browser.log_in("alice")
    answer = await browser.post("/machines/add", TYPED | {"key_from": "later", "access": "full"})
    page = (await browser.get(answer.location)).text
    assert '<option value="full" selected>' in page
    path = f"{answer.location.partition('?')[0]}?client=borgmatic&access=full"
    assert f'href="{path.replace("&", "&amp;")}"' in page
    stored = await browser.post(path, {"public_key": public_key(), "access": "full"})
    assert stored.location == path.partition("&")[0]
    (key,) = (await catalogue.find_repository(alice, "laptop")).keys
    assert key.access == Access.FULL


@pytest.mark.parametrize(
    ("typed", "field", "said"),
    [
        ({"name": "two words"}, "name", "begins with a letter or digit"),
        ({"public_key": ""}, "public_key", "No public key was given"),
        ({"public_key": "PuTTY-User-Key-File-3: x"}, "public_key", "puttygen FILE.ppk -L"),
        ({"key_from": "stored", "key": ""}, "key", "Choose a key."),
        ({"key_from": "stored", "key": "nobody's"}, "key", "There is no key"),
        ({"access": "read-only"}, "access", "none of the choices"),
        ({"quota": "much"}, "quota", "is not a size"),
        ({"timezone": "Berlin"}, "timezone", "Berlin"),
        ({"day_at": "25:00"}, "day_at", "not a valid time"),
        ({"tag": "a/b"}, "tag", "not a valid tag"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field_and_adds_nothing(
    browser: Browser, alice: Actor, typed: dict[str, str], field: str, said: str
) -> None:
    await browser.log_in("alice")
    answer = await browser.post("/machines/add", {**TYPED, "public_key": public_key(), **typed})
    assert answer.status == 422
    assert said in answer.text
    assert f'<a href="#{field}">' in answer.text
    assert f'id="{field}"' in answer.text
    assert await Repository.all().count() == 0
    assert await keys.list_keys(alice) == []


async def test_only_administrators_add_a_machine_for_somebody_else(
    browser: Browser, root: Actor, alice: Actor, bob: Actor
) -> None:
    await browser.log_in("alice")
    await browser.post("/machines/add", TYPED | {"key_from": "later", "owner": "bob"})
    assert (await catalogue.find_repository(root, "laptop")).owner == "alice"
    await browser.log_in("root")
    await browser.post("/machines/add", TYPED | {"key_from": "later", "owner": "bob"})
    assert (await catalogue.find_repository(root, "bob/laptop")).owner == "bob"


@pytest.mark.parametrize("client", CLIENTS)
async def test_each_client_has_its_steps(browser: Browser, alice: Actor, client: str) -> None:
    info = await the_machine(alice)
    await browser.log_in("alice")
    page = (await browser.get(f"/repositories/{info.id}/connect?client={client}")).text
    assert page.count('<li id="step-') >= 6
    assert f'/connect?client={client}" aria-current="true"' in page
    assert info.url in page
    # an append-only key neither prunes nor compacts
    assert "borg prune" not in page
    assert "borg compact" not in page
    assert "keep_daily" not in page
    assert "This key may only append." in page


@pytest.mark.parametrize("client", ["borg", "borgmatic", "systemd"])
async def test_a_full_key_also_frees_space(browser: Browser, alice: Actor, client: str) -> None:
    info = await the_machine(alice, access=Access.FULL)
    await browser.log_in("alice")
    page = (await browser.get(f"/repositories/{info.id}/connect?client={client}")).text
    assert "keep_daily" in page if client == "borgmatic" else "borg prune" in page
    assert "key export" in page
    assert "This key may only append." not in page


async def test_a_client_that_there_is_not_is_refused(browser: Browser, alice: Actor) -> None:
    info = await the_machine(alice)
    await browser.log_in("alice")
    assert (await browser.get(f"/repositories/{info.id}/connect?client=tar")).status == 422


def ticked(page: str) -> list[str]:
    return re.findall(r'<li id="step-(\w+)" class="seen">', page)


async def test_ticks_follow_what_the_server_sees(browser: Browser, alice: Actor) -> None:
    info = await catalogue.add_repository(alice, "laptop", owner="alice")
    await browser.log_in("alice")
    path = f"/repositories/{info.id}/connect"
    first = (await browser.get(path)).text
    assert ticked(first) == []
    assert '<li id="step-key" class="next">' in first
    assert "0 of 5 steps are done." in first
    await browser.post(path, {"public_key": public_key(), "access": "append-only"})
    assert ticked((await browser.get(path)).text) == ["key"]
    await add_session(info.id, need=Need.STATUS, operation=Operation.STATUS)
    page = (await browser.get(path)).text
    assert ticked(page) == ["key", "login"]
    # the passphrase is next and does not hold up what follows
    assert '<li id="step-passphrase" class="next">' in page
    now = clock.now()
    await Repository.filter(id=info.id).update(initialized_at=now)
    page = (await browser.get(path)).text
    assert ticked(page) == ["key", "login", "create"]
    assert '<li id="step-backup" class="next">' in page
    await add_session(info.id, operation=Operation.CREATE, archive_created=ArchiveCreated.YES)
    await Repository.filter(id=info.id).update(last_backup_at=now)
    assert ticked((await browser.get(path)).text) == ["key", "login", "create", "backup"]
    # borgmatic looks at the archive that it has made
    await add_session(info.id, operation=Operation.READ, observed={"reads": 1})
    assert "restore" not in ticked((await browser.get(path)).text)
    await add_session(info.id, operation=Operation.READ, observed={"reads": 3})
    page = (await browser.get(path)).text
    assert ticked(page) == ["key", "login", "create", "backup", "restore"]
    assert "5 of 5 steps are done." in page
    assert page.count("The server cannot see this") == 2


async def test_a_key_that_is_disabled_is_no_stored_key(browser: Browser, alice: Actor) -> None:
    info = await the_machine(alice)
    (key,) = await keys.list_keys(alice)
    await keys.change_key(alice, key.id, keys.ChangeKey(enabled=False))
    await browser.log_in("alice")
    assert ticked((await browser.get(f"/repositories/{info.id}/connect")).text) == []


async def test_a_pasted_key_that_is_wrong_says_why(browser: Browser, alice: Actor) -> None:
    info = await catalogue.add_repository(alice, "laptop", owner="alice")
    await browser.log_in("alice")
    answer = await browser.post(
        f"/repositories/{info.id}/connect", {"public_key": "-----BEGIN OPENSSH PRIVATE KEY-----"}
    )
    assert answer.status == 422
    assert "must never leave the client" in answer.text


async def test_keys_that_were_refused_are_offered_to_who_may_let_them_in(
    browser: Browser, root: Actor, alice: Actor, bob: Actor
) -> None:
    info = await the_machine(alice)
    await groups.add_group(root, groups.AddGroup(name="family", members=["alice", "bob"]))
    await catalogue.set_repository(alice, info.id, share_levels={"family": ShareLevel.VIEW})
    now = clock.now()
    kind, blob, *_ = public_key().split()
    await RefusedKey.create(
        repository_id=info.id,
        type=kind,
        blob=blob,
        fingerprint="SHA256:refused",
        peer="192.0.2.7",
        first_seen_at=now,
        last_seen_at=now,
    )
    await browser.log_in("alice")
    path = f"/repositories/{info.id}/connect"
    assert "SHA256:refused" in (await browser.get(path)).text
    await browser.log_in("bob")
    page = (await browser.get(path)).text
    assert "SHA256:refused" not in page
    assert 'method="post" action="' not in page.split("<main")[1].split("</main>")[0]
    assert (await browser.post(path, {"public_key": public_key()})).status == 403


async def test_nobody_else_reads_the_steps(browser: Browser, alice: Actor, bob: Actor) -> None:
    info = await the_machine(alice)
    await browser.log_in("bob")
    assert (await browser.get(f"/repositories/{info.id}/connect")).status == 404


@pytest.mark.parametrize(
    ("mode", "command"),
    [(Mode.IMPORT, "rsync -a -e 'ssh -p 2222' SOURCE/ "), (Mode.EXPORT, ": TARGET/")],
)
async def test_other_modes_show_the_command_for_rsync(
    browser: Browser, alice: Actor, mode: Mode, command: str
) -> None:
    info = await the_machine(alice)
    await catalogue.store_mode(OPERATOR, info.id, mode)
    await browser.log_in("alice")
    page = (await browser.get(f"/repositories/{info.id}/connect")).text
    assert command in page.replace("&#39;", "'")
    assert "step-key" not in page


async def test_a_list_is_previewed_and_imported(browser: Browser, alice: Actor) -> None:
    await browser.log_in("alice")
    text = f"name,key,schedule\nweb1,{public_key()},03:00\nweb2,,daily\n"
    shown = await browser.post("/machines/import", {"list": text, "preview": "yes"})
    assert shown.status == 200
    assert "What would be added" in shown.text
    assert await catalogue.list_repositories(alice) == []
    done = await browser.post("/machines/import", {"list": text})
    assert done.status == 303
    assert "Machines added: 2. There already: 0." in (await browser.get("/")).text
    assert [one.name for one in await catalogue.list_repositories(alice)] == ["web1", "web2"]


async def test_problems_of_a_list_are_a_table_and_the_list_is_kept(
    browser: Browser, alice: Actor
) -> None:
    await browser.log_in("alice")
    text = "name,owner,quota\nweb1,bob,5GB\n<b>,alice,5GB\n"
    shown = await browser.post("/machines/import", {"list": text})
    assert shown.status == 422
    rows = re.findall(r'<th scope="row">(\d+)</th><td data-label="Column">(\w*)', shown.text)
    assert rows == [("2", "owner"), ("3", "name")]
    assert "web1,bob,5GB" in shown.text
    assert "<b>" not in shown.text
    assert await catalogue.list_repositories(alice) == []
