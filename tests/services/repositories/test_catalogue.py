from __future__ import annotations

from pathlib import Path

import pytest

from hive.config.settings import Settings
from hive.errors import Conflict, InvalidInput, NotFound, StorageError
from hive.kinds import Access, Mode, RepositoryState
from hive.services import names
from hive.services.gate import host_keys
from hive.services.lifecycle import trash
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from hive.services.storage import locations, paths
from tests import factories
from tests.factories import People

HOSTILE = [
    "",
    ".",
    "..",
    ".ssh",
    ".import",
    "-x",
    "--help",
    "a/b",
    "/etc",
    "../x",
    "a\nb",
    "a\0b",
    "a b",
    "\u00e4",
    "\u0661",
    "x" * 101,
]


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_names_are_refused(people: People, name: str) -> None:
    with pytest.raises(InvalidInput):
        await factories.make_repository(people.alice, name)
    good = await factories.make_repository(people.alice, "good")
    with pytest.raises(InvalidInput):
        await catalogue.set_repository(people.alice, good.id, name=name)


async def test_plain_names_are_taken(people: People) -> None:
    for name in ("a", "A.b_c-d", "0", "x" * 100):
        assert (await factories.make_repository(people.alice, name)).name == name


async def test_login_and_path_stay_when_a_repository_is_renamed(people: People) -> None:
    before = await factories.make_repository(people.alice)
    after = await catalogue.set_repository(people.alice, before.id, name="papers")
    assert (after.name, after.path, after.url) == ("papers", before.path, before.url)
    with pytest.raises(Conflict):  # its directory still has that name
        await factories.make_repository(people.alice, "documents")


async def test_a_name_may_be_used_again_by_others_and_after_deleting(people: People) -> None:
    first = await factories.make_repository(people.alice)
    with pytest.raises(Conflict):
        await factories.make_repository(people.alice)
    await factories.make_repository(people.bob)
    await trash.delete_repository(people.alice, first.id)
    await factories.make_repository(people.alice)
    with pytest.raises(Conflict, match="rename"):
        await trash.restore_repository(people.alice, first.id)


async def test_repositories_are_found_by_all_they_are_called(people: People) -> None:
    mine = await factories.make_repository(people.alice)
    for reference in (mine.login, str(mine.id), "documents", "alice/documents"):
        assert (await catalogue.find_repository(OPERATOR, reference)).id == mine.id
    await factories.make_repository(people.bob)
    with pytest.raises(InvalidInput, match="several"):
        await catalogue.find_repository(OPERATOR, "documents")
    assert (await catalogue.find_repository(people.alice, "documents")).id == mine.id


async def test_a_name_that_is_anothers_id_or_login_does_not_stand_for_it(people: People) -> None:
    """charlie names repositories so that an administrator would delete charlie's for alice's."""
    mine = await factories.make_repository(people.alice)
    await factories.make_repository(people.charlie, str(mine.id))
    await factories.make_repository(people.charlie, mine.login)
    for reference in (str(mine.id), mine.login):
        with pytest.raises(InvalidInput, match="several"):
            await catalogue.find_repository(OPERATOR, reference)
    assert (await catalogue.find_repository(OPERATOR, "alice/documents")).id == mine.id


async def test_logins_are_eight_letters_and_digits_and_differ(people: People) -> None:
    logins = {(await factories.make_repository(people.alice, f"r{n}")).login for n in range(20)}
    assert len(logins) == 20
    assert all(len(login) == 8 and names.LOGIN.fullmatch(login) for login in logins)


@pytest.mark.parametrize("quota", [-1, 0, 1, 9_999_999, 2**63])
async def test_a_quota_that_borg_does_not_take_is_refused(people: People, quota: int) -> None:
    good = await factories.make_repository(people.alice)
    with pytest.raises(InvalidInput):
        await catalogue.set_repository(people.alice, good.id, quota_bytes=quota)


async def test_a_repository_with_an_unknown_key_is_not_made_at_all(people: People) -> None:
    with pytest.raises(NotFound):
        await factories.make_repository(people.alice, accesses={"nothing": Access.FULL})
    assert await catalogue.list_repositories(OPERATOR) == []


async def test_a_new_repository_tells_all_about_itself(people: People, hive: Settings) -> None:
    key = await factories.make_key(people.alice)
    made = await catalogue.add_repository(
        OPERATOR,
        "documents",
        owner=str(people.alice.user_id),
        location="1",
        mode=Mode.IMPORT,
        quota_bytes=10**9,
        accesses={"laptop": Access.APPEND_ONLY},
        groups=["team"],
    )
    assert (made.owner, made.location, made.mode) == ("alice", "default", Mode.IMPORT)
    assert made.state == RepositoryState.NEW
    assert made.keys[0].fingerprint == key.fingerprint
    assert made.path == hive.paths.repositories / made.login / "documents"
    assert made.url.startswith(f"ssh://{made.login}@")
    assert made.url.endswith("/./documents")


async def test_an_administrator_gives_a_repository_to_somebody_else(people: People) -> None:
    made = await factories.make_repository(people.alice)
    await factories.make_repository(people.bob)
    with pytest.raises(Conflict):
        await catalogue.set_repository(people.admin, made.id, owner="bob")
    given = await catalogue.set_repository(people.admin, made.id, owner="charlie")
    assert (given.owner, given.login) == ("charlie", made.login)


async def test_locations_show_in_urls(people: People, tmp_path: Path) -> None:
    root = tmp_path / "other root"
    await locations.add_location(
        OPERATOR, locations.AddLocation(name="six", host="2001:db8::1", port=2200, root=root)
    )
    await locations.add_location(
        OPERATOR, locations.AddLocation(name="plain", host="hive.example.org", port=22)
    )
    await locations.change_location(OPERATOR, 2, locations.ChangeLocation(is_default=True))
    made = await factories.make_repository(people.alice)
    assert made.url == f"ssh://{made.login}@[2001:db8::1]:2200/./documents"
    assert made.path == root / made.login / "documents"
    plain = await catalogue.add_repository(OPERATOR, "x", owner="alice", location="plain")
    assert plain.url == f"ssh://{plain.login}@hive.example.org/./x"
    with pytest.raises(Conflict):
        await locations.delete_location(OPERATOR, 3)
    with pytest.raises(Conflict, match="default"):
        await locations.delete_location(OPERATOR, 2)
    await locations.delete_location(OPERATOR, 1)


@pytest.mark.parametrize("host", ["", "a b", "a;b", "-x", "fe80::1%a\nb", "x" * 300, "a/b", "a@b"])
async def test_what_is_no_host_is_refused(people: People, host: str) -> None:
    with pytest.raises(InvalidInput):
        await locations.add_location(OPERATOR, locations.AddLocation(name="x", host=host))


def test_no_place_lies_outside_its_root(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    for path in ("link", "link/x", "..", ".", "../outside"):
        with pytest.raises(StorageError):
            paths.require_below(tmp_path / "root", tmp_path / "root" / path)
    paths.require_below(tmp_path / "root", tmp_path / "root" / "a" / "b")


async def test_a_former_servers_host_key_of_the_same_name_is_offered_beside_ours(
    hive: Settings, tmp_path: Path
) -> None:
    await host_keys.load()
    former = tmp_path / "former" / "ssh_host_ed25519_key"
    former.parent.mkdir()
    object.__setattr__(hive.ssh, "host_keys", (former,))  # frozen, and started already
    host_keys._make(former)
    for _ in range(2):
        loaded = await host_keys.load()
        assert [key.path for key in loaded] == [hive.paths.host_key("ed25519"), former]


async def test_a_host_key_that_is_gone_or_another_is_noticed_until_it_is_accepted(
    hive: Settings,
) -> None:
    path = hive.paths.host_key("ed25519")
    first = (await host_keys.load())[0].public.fingerprint
    path.unlink()
    with pytest.raises(StorageError, match="Put it back"):
        await host_keys.load()
    host_keys._make(path)
    with pytest.raises(StorageError, match="host-keys --accept"):
        await host_keys.load()
    await host_keys.accept_current(OPERATOR)
    assert (await host_keys.load())[0].public.fingerprint != first
    path.chmod(0o644)
    with pytest.raises(StorageError, match="chmod 600"):
        await host_keys.load()
