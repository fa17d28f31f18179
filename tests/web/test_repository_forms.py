"""What is done to a repository in the browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from hive.kinds import Access, EventKind, Mode, ShareLevel
from hive.models import Event, Repository
from hive.services.accounts import groups
from hive.services.keys import keys
from hive.services.permissions import Actor
from hive.services.repositories import catalogue, locks
from hive.services.storage import paths
from tests.factories import make_borg_repository
from tests.web.browser import Browser
from tests.web.rows import RUNNING, add_session, public_key, put_on_disk


@pytest.fixture
async def documents(alice: Actor) -> int:
    await keys.add_key(alice, keys.AddKey(name="laptop", owner="alice", text=public_key()))
    made = await catalogue.add_repository(
        alice, "documents", owner="alice", accesses={"laptop": Access.FULL}, quota_bytes=123456789
    )
    return made.id


async def test_a_repository_is_added_with_keys_and_shares(
    browser: Browser, root: Actor, alice: Actor
) -> None:
    await groups.add_group(root, groups.AddGroup(name="family", members=["alice"]))
    laptop = await keys.add_key(alice, keys.AddKey(name="laptop", owner="alice", text=public_key()))
    nas = await keys.add_key(alice, keys.AddKey(name="nas", owner="alice", text=public_key()))
    await browser.log_in("alice")
    typed = {
        "name": "documents",
        "quota": "2TB",
        "mode": "IMPORT",
        f"key-{laptop.id}": "append-only",
        f"key-{nas.id}": "",
        "share-family": "view",
    }
    answer = await browser.post("/repositories/add", typed)
    assert answer.status == 303
    info = await catalogue.find_repository(alice, "documents")
    assert [(key.name, key.access) for key in info.keys] == [("laptop", Access.APPEND_ONLY)]
    assert [(one.group, one.level) for one in info.groups] == [("family", ShareLevel.VIEW)]
    assert (info.mode, info.quota_bytes, info.owner) == (Mode.IMPORT, 2 * 10**12, "alice")
    assert info.url in (await browser.get(answer.location)).text


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"name": "two words"}, "begins with a letter or digit"),
        ({"name": "documents"}, "of this owner already"),
        ({"name": "new", "quota": "much"}, "is not a size"),
        ({"name": "new", "quota": "1MB"}, "at least 10 MB"),
        ({"name": "new", "mode": "OFF"}, "none of the choices"),
    ],
)
async def test_what_is_wrong_adds_nothing(
    browser: Browser, documents: int, typed: dict[str, str], said: str
) -> None:
    await browser.log_in("alice")
    answer = await browser.post("/repositories/add", typed)
    assert answer.status in (422, 409)
    assert said in answer.text
    assert f'value="{typed["name"]}"' in answer.text
    assert await Repository.all().count() == 1


async def test_a_key_of_somebody_else_is_not_let_in_and_nothing_is_left_half_made(
    browser: Browser, alice: Actor, bob: Actor
) -> None:
    theirs = await keys.add_key(bob, keys.AddKey(name="bobs", owner="bob", text=public_key()))
    await browser.log_in("alice")
    typed = {"name": "new", f"key-{theirs.id}": "full"}
    assert (await browser.post("/repositories/add", typed)).status == 404
    assert not await Repository.exists()


async def test_an_administrator_adds_one_for_somebody_else(
    browser: Browser, root: Actor, alice: Actor
) -> None:
    await browser.log_in("root")
    assert (await browser.post("/repositories/add", {"name": "a", "owner": "alice"})).status == 303
    assert (await catalogue.find_repository(alice, "a")).owner == "alice"


async def test_saving_the_form_unchanged_changes_nothing(
    browser: Browser, alice: Actor, documents: int
) -> None:
    before = await catalogue.find_repository_by_id(alice, documents)
    await browser.log_in("alice")
    page = (await browser.get(f"/repositories/{documents}/edit")).text
    quota = page.partition('name="quota" type="text" value="')[2].partition('"')[0]
    typed = {"name": "documents", "quota": quota}
    assert (await browser.post(f"/repositories/{documents}/edit", typed)).status == 303
    assert await catalogue.find_repository_by_id(alice, documents) == before
    await browser.post(f"/repositories/{documents}/edit", {"name": "papers", "quota": ""})
    after = await catalogue.find_repository_by_id(alice, documents)
    assert (after.name, after.quota_bytes, after.url) == ("papers", None, before.url)


async def test_access_is_changed_and_taken_away(
    browser: Browser, alice: Actor, documents: int
) -> None:
    laptop = await keys.find_key(alice, "laptop")
    path = f"/repositories/{documents}/keys"
    await browser.log_in("alice")
    for access in ("read-only", ""):
        answer = await browser.post(path, {"key": str(laptop.id), "access": access})
        assert answer.location == path
        info = await catalogue.find_repository_by_id(alice, documents)
        assert [key.access for key in info.keys] == ([access] if access else [])
    for wrong in ({"key": "", "access": "full"}, {"key": "x"}, {"key": "1", "access": "all"}):
        assert (await browser.post(path, wrong)).status == 422


async def test_who_manages_takes_away_a_key_that_they_cannot_see(
    browser: Browser, root: Actor, alice: Actor, bob: Actor, documents: int
) -> None:
    await groups.add_group(root, groups.AddGroup(name="team", members=["alice", "bob"]))
    await catalogue.set_repository(alice, documents, share_with=["team"])
    laptop = await keys.find_key(alice, "laptop")
    path = f"/repositories/{documents}/keys"
    await browser.log_in("bob")
    text = (await browser.get(path)).text
    assert "Remove access of laptop" in text
    assert "Access of laptop" not in text
    sent = {"key": str(laptop.id), "access": "read-only"}
    assert (await browser.post(path, sent)).status == 404
    assert (await browser.post(path, {**sent, "access": ""})).status == 303
    assert (await catalogue.find_repository_by_id(alice, documents)).keys == ()


async def test_a_mode_is_switched_and_a_staged_import_is_settled(
    browser: Browser, alice: Actor, documents: int, tmp_path: Path
) -> None:
    path = f"/repositories/{documents}/mode"
    await browser.log_in("alice")
    assert (await browser.post(path, {"mode": "IMPORT"})).status == 303
    row = await Repository.get(id=documents).select_related("location")
    staging = paths.place(row.location, row.login, row.directory).staging
    make_borg_repository(staging, tmp_path / "client")
    answer = await browser.post(path, {"mode": "BORG"})
    assert "The import is in place" in (await browser.get(answer.location)).text
    assert await Event.filter(kind=EventKind.IMPORT_VERIFIED).exists()
    assert (await browser.post(path, {"mode": "SIDEWAYS"})).status == 422
    assert (await browser.post(path, {})).status == 422


async def test_an_import_that_is_no_repository_is_told(
    browser: Browser, alice: Actor, documents: int
) -> None:
    path = f"/repositories/{documents}/mode"
    await browser.log_in("alice")
    await browser.post(path, {"mode": "IMPORT"})
    row = await Repository.get(id=documents).select_related("location")
    staging = paths.place(row.location, row.login, row.directory).staging
    staging.mkdir(parents=True)
    (staging / "photo.jpg").write_bytes(b"x")
    answer = await browser.post(path, {"mode": "BORG"})
    text = (await browser.get(answer.location)).text
    assert 'class="flash problem"' in text
    assert "The import is not in place" in text


async def test_the_name_is_typed_to_delete_and_restoring_brings_it_back(
    browser: Browser, alice: Actor, documents: int
) -> None:
    path = f"/repositories/{documents}/delete"
    await browser.log_in("alice")
    assert "For 30 days" in (await browser.get(path)).text
    for typed in ("", "document", "DOCUMENTS", "documents x"):
        answer = await browser.post(path, {"name": typed})
        assert answer.status == 422
        assert "nothing was deleted" in answer.text
    assert (await browser.post(path, {"name": "documents"})).location == "/trash"
    text = (await browser.get("/trash")).text
    assert "is in the trash until" in text
    assert f'action="/trash/{documents}/restore"' in text
    answer = await browser.post(f"/trash/{documents}/restore")
    assert answer.location == f"/repositories/{documents}"
    assert "is back" in (await browser.get(answer.location)).text
    assert (await browser.post(f"/trash/{documents}/restore")).status == 404


async def test_a_name_that_is_taken_keeps_it_in_the_trash(
    browser: Browser, alice: Actor, documents: int
) -> None:
    await browser.log_in("alice")
    await browser.post(f"/repositories/{documents}/delete", {"name": "documents"})
    await catalogue.add_repository(alice, "documents", owner="alice")
    answer = await browser.post(f"/trash/{documents}/restore")
    assert "rename that one" in (await browser.get(answer.location)).text


async def test_a_lock_is_shown_and_broken(
    browser: Browser, alice: Actor, documents: int, tmp_path: Path
) -> None:
    info = await catalogue.find_repository_by_id(alice, documents)
    make_borg_repository(info.path, tmp_path / "client")
    await put_on_disk(documents)
    holder = info.path / "lock.exclusive" / "somewhere@1.4711-0"
    holder.parent.mkdir()
    holder.touch()
    path = f"/repositories/{documents}/locks"
    await browser.log_in("alice")
    assert "process 4711" in (await browser.get(path)).text
    assert "Nothing was removed" in (await browser.get((await browser.post(path)).location)).text
    live = await add_session(documents, **RUNNING)
    assert (await browser.post(path, {"force": "yes"})).status == 409
    await live.delete()
    assert (await browser.post(path, {"force": "yes"})).status == 303
    assert locks.look(info.path) == []


async def test_an_owner_is_changed_by_administrators_alone(
    browser: Browser, root: Actor, alice: Actor, bob: Actor, documents: int
) -> None:
    await browser.log_in("alice")
    assert "Change the owner" not in (await browser.get(f"/repositories/{documents}/edit")).text
    assert (await browser.post(f"/repositories/{documents}/owner", {"owner": "bob"})).status == 403
    await browser.log_in("root")
    assert (await browser.post(f"/repositories/{documents}/owner", {"owner": "bob"})).status == 303
    assert (await catalogue.find_repository_by_id(root, documents)).owner == "bob"
