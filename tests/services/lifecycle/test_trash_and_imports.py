from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from hive import clock
from hive.config.settings import Settings
from hive.errors import Conflict, NotFound, StorageError
from hive.kinds import Access, EndReason, EventKind, Mode, RepositoryState, TrashReason
from hive.models import Repository, TrashEntry
from hive.services import events
from hive.services.gate import authentication
from hive.services.lifecycle import config_restore, imports, trash
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue, maintenance
from hive.services.repositories import infos as repository_infos
from hive.services.repositories.infos import RepositoryInfo
from hive.services.sessions import config_versions, record
from hive.services.storage import paths, preparing
from tests import factories
from tests.factories import People, tree


@pytest.fixture(scope="session")
def borg_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository made by the real borg, to be copied."""
    base = tmp_path_factory.mktemp("borg")
    factories.make_borg_repository(base / "repository", base)
    return base / "repository"


def without_derived(found: dict[str, bytes | None]) -> dict[str, bytes | None]:
    """A tree but for what borg makes anew from the segments."""
    derived = ("index.", "hints.", "integrity.")
    return {name: one for name, one in found.items() if not name.startswith(derived)}


async def place(info: RepositoryInfo) -> paths.Place:
    return repository_infos.place_of(await Repository.get(id=info.id).select_related("location"))


async def stage(info: RepositoryInfo, source: Path) -> paths.Place:
    where = await place(info)
    preparing.prepare(where, None, staging=True)
    shutil.copytree(source, where.staging, dirs_exist_ok=True)
    return where


async def kinds(info: RepositoryInfo) -> list[EventKind]:
    return [event.kind for event in await events.recent(OPERATOR, repository_id=info.id)]


async def test_a_deleted_repository_comes_back_byte_for_byte(
    people: People, borg_tree: Path, hive: Settings
) -> None:
    key = await factories.make_key(people.alice)
    made = await factories.make_repository(people.alice, accesses={key.fingerprint: Access.FULL})
    made.path.parent.mkdir()
    shutil.copytree(borg_tree, made.path)
    before = tree(made.path)
    deleted = await trash.delete_repository(people.alice, made.id)
    assert not made.path.parent.exists()
    assert deleted.path is not None
    assert deleted.path.parent == hive.paths.repositories / ".trash"
    assert tree(deleted.path / "documents") == before
    assert await authentication.authenticate(made.login, key.fingerprint, "192.0.2.7") is None
    assert await catalogue.list_repositories(people.alice) == []
    found = await catalogue.find_repository(people.alice, made.login, deleted=True)
    assert found.state == RepositoryState.DELETED
    await trash.restore_repository(people.alice, made.id)
    assert tree(made.path) == before
    assert await authentication.authenticate(made.login, key.fingerprint, "192.0.2.7") is not None
    assert not list((hive.paths.repositories / ".trash").iterdir())
    assert (await kinds(made))[:2] == [EventKind.RESTORED, EventKind.DELETED]


async def test_the_trash_empties_itself_after_its_time_and_not_before(
    people: People, borg_tree: Path
) -> None:
    made = await factories.make_repository(people.alice)
    made.path.parent.mkdir()
    shutil.copytree(borg_tree, made.path)
    deleted = await trash.delete_repository(people.alice, made.id)
    assert await trash.empty_expired() == 0
    assert deleted.path is not None
    assert deleted.path.exists()
    later = clock.now() + timedelta(days=31)
    clock.use(lambda: later)
    assert await trash.empty_expired() == 1
    assert not deleted.path.exists()
    assert await Repository.all().count() == 0


async def test_a_repository_without_anything_on_disk_is_deleted_and_restored(
    people: People,
) -> None:
    made = await factories.make_repository(people.alice)
    assert (await trash.delete_repository(people.alice, made.id)).path is None
    await trash.restore_repository(people.alice, made.id)
    with pytest.raises(NotFound):
        await trash.restore_repository(people.alice, made.id)


@pytest.mark.parametrize("entry_written", [False, True])
async def test_a_delete_that_was_killed_before_the_move_is_made_good(
    people: People, borg_tree: Path, entry_written: bool
) -> None:
    made = await factories.make_repository(people.alice)
    made.path.parent.mkdir()
    shutil.copytree(borg_tree, made.path)
    before = tree(made.path)
    await catalogue.mark_deleted(people.alice, made.id)
    where = await place(made)
    if entry_written:
        target = paths.trash_target(where, clock.now())
        await catalogue.note_trashed(made.id, where.root, target, TrashReason.DELETED)
    await trash.clear_left_behind()
    assert not where.home.exists()
    assert await TrashEntry.all().count() == 1
    await trash.restore_repository(people.alice, made.id)
    assert tree(made.path) == before


async def test_a_restore_that_was_killed_after_the_move_can_be_repeated(
    people: People, borg_tree: Path
) -> None:
    made = await factories.make_repository(people.alice)
    made.path.parent.mkdir()
    shutil.copytree(borg_tree, made.path)
    deleted = await trash.delete_repository(people.alice, made.id)
    assert deleted.path is not None
    deleted.path.rename((await place(made)).home)
    await trash.restore_repository(people.alice, made.id)
    assert (made.path / "config").exists()
    assert await TrashEntry.all().count() == 0


async def test_a_link_in_place_of_a_repository_is_not_followed(
    people: People, tmp_path: Path
) -> None:
    """A client that could put a link where its directory was must not move other trees."""
    made = await factories.make_repository(people.alice)
    (tmp_path / "outside").mkdir()
    made.path.parent.symlink_to(tmp_path / "outside")
    with pytest.raises(StorageError, match="does not lie under"):
        await trash.delete_repository(people.alice, made.id)
    assert (tmp_path / "outside").is_dir()


async def test_a_repository_whose_session_stays_open_is_moved_later(people: People) -> None:
    key = await factories.make_key(people.alice)
    made = await factories.make_repository(people.alice, accesses={key.fingerprint: Access.FULL})
    made.path.mkdir(parents=True)
    opened = await factories.open_session(made, key)
    with pytest.raises(Conflict, match="still open"):
        await trash.delete_repository(people.alice, made.id)
    await trash.clear_left_behind()
    assert made.path.exists()
    await record.finish(
        opened.session_id,
        record.Outcome(end_reason=EndReason.REVOKED, exit_status=None, bytes_in=0, bytes_out=0),
    )
    await trash.clear_left_behind()
    assert not made.path.exists()


async def test_an_import_takes_the_place_of_what_was_there(
    people: People, borg_tree: Path, hive: Settings
) -> None:
    made = await factories.make_repository(people.alice, mode=Mode.IMPORT)
    where = await stage(made, borg_tree)
    (where.repository / "config").write_text("the former one")
    settled = await imports.switch_mode(people.alice, made.id, Mode.BORG)
    assert settled is not None
    assert settled.facts is not None
    assert "in place" in settled.message
    assert tree(made.path) == without_derived(tree(borg_tree))
    assert not where.staging.exists()
    entry = await TrashEntry.get(reason=TrashReason.REPLACED)
    assert (Path(entry.path) / "config").read_text() == "the former one"
    after = await catalogue.find_repository(people.alice, made.login)
    assert (after.mode, after.state, after.maintenance) == (Mode.BORG, RepositoryState.READY, None)
    assert EventKind.IMPORT_VERIFIED in await kinds(made)
    assert [len(v.content) > 0 for v in await config_versions.list_versions(OPERATOR, made.id)] == [
        True
    ]


async def test_a_bad_import_stays_staged_and_the_repository_as_it_is(
    people: People, borg_tree: Path
) -> None:
    made = await factories.make_repository(people.alice, mode=Mode.IMPORT)
    where = await stage(made, borg_tree)
    (where.staging / "link").symlink_to("/etc")
    settled = await imports.switch_mode(people.alice, made.id, Mode.BORG)
    assert settled is not None
    assert settled.problem == "'link' is a symbolic link"
    assert where.staging.exists()
    assert not (where.repository / "config").exists()
    (where.staging / "link").unlink()
    again = await imports.switch_mode(people.alice, made.id, Mode.BORG)
    assert again is not None
    assert again.facts is not None


async def test_an_import_is_not_settled_while_a_session_runs(
    people: People, borg_tree: Path
) -> None:
    key = await factories.make_key(people.alice)
    made = await factories.make_repository(people.alice, accesses={key.fingerprint: Access.FULL})
    await stage(made, borg_tree)
    await factories.open_session(made, key)
    with pytest.raises(Conflict):
        await imports.finish_import(made.id)


@pytest.mark.parametrize("step", ["verified", "former moved", "renamed"])
async def test_an_import_that_was_killed_on_its_way_is_completed(
    people: People, borg_tree: Path, step: str
) -> None:
    made = await factories.make_repository(people.alice)
    where = await stage(made, borg_tree)
    (where.repository / "config").write_text("the former one")
    await maintenance.begin(made.id, maintenance.VERIFYING)
    await maintenance.set_stage(made.id, maintenance.PUTTING_IN_PLACE)
    if step != "verified":
        target = paths.trash_target(where, clock.now())
        await catalogue.note_trashed(made.id, where.root, target, TrashReason.REPLACED)
        paths.move_to_trash(where, where.repository, target)
    if step == "renamed":
        where.staging.rename(where.repository)
    await imports.recover()
    assert without_derived(tree(made.path)) == without_derived(tree(borg_tree))
    entry = await TrashEntry.get(reason=TrashReason.REPLACED)
    assert (Path(entry.path) / "config").read_text() == "the former one"
    after = await catalogue.find_repository(people.alice, made.login)
    assert (after.state, after.maintenance) == (RepositoryState.READY, None)


async def test_a_verification_that_was_killed_is_simply_over(
    people: People, borg_tree: Path
) -> None:
    made = await factories.make_repository(people.alice)
    where = await stage(made, borg_tree)
    await maintenance.begin(made.id, maintenance.VERIFYING)
    await imports.recover()
    assert where.staging.exists()
    after = await catalogue.find_repository(people.alice, made.login)
    assert after.maintenance is None


async def test_a_busy_repository_is_not_deleted(people: People) -> None:
    made = await factories.make_repository(people.alice)
    await maintenance.begin(made.id, maintenance.VERIFYING)
    with pytest.raises(Conflict, match="busy"):
        await trash.delete_repository(people.alice, made.id)


async def keep(info: RepositoryInfo, content: bytes) -> int:
    await config_versions.keep_config(await Repository.get(id=info.id), content, None)
    return (await config_versions.list_versions(OPERATOR, info.id))[0].id


async def test_a_kept_config_is_put_back_and_the_former_one_kept(people: People) -> None:
    made = await factories.make_repository(people.alice)
    made.path.mkdir(parents=True)
    (made.path / "config").write_bytes(b"overwritten")
    (made.path / "config").chmod(0o644)
    good = await keep(made, b"the good key")
    await config_restore.restore_config(people.alice, made.id, good)
    assert (made.path / "config").read_bytes() == b"the good key"
    assert (made.path / "config").stat().st_mode & 0o777 == 0o600
    contents = [
        version.content for version in await config_versions.list_versions(OPERATOR, made.id)
    ]
    assert contents == [b"the good key", b"overwritten", b"the good key"]
    assert sorted(path.name for path in made.path.parent.rglob("*")) == ["config", "documents"]
    after = await catalogue.find_repository(people.alice, made.login)
    assert after.maintenance is None


async def test_a_config_belongs_to_whoever_owns_the_repository(people: People) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    made = await factories.make_repository(people.alice)
    made.path.mkdir(parents=True)
    os.chown(made.path, 65534, 65534)
    await config_restore.restore_config(people.alice, made.id, await keep(made, b"good"))
    status = (made.path / "config").stat()
    assert (status.st_uid, status.st_gid) == (65534, 65534)


async def test_a_config_that_is_a_link_is_neither_read_nor_followed(
    people: People, tmp_path: Path
) -> None:
    """A client puts a link to the database where the config is, to have it kept or overwritten."""
    made = await factories.make_repository(people.alice)
    made.path.mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (made.path / "config").symlink_to(tmp_path / "secret")
    with pytest.raises(StorageError):
        await config_restore.restore_config(people.alice, made.id, await keep(made, b"good"))
    assert (tmp_path / "secret").read_text() == "secret"


async def test_a_config_is_not_put_back_while_a_session_runs(people: People) -> None:
    key = await factories.make_key(people.alice)
    made = await factories.make_repository(people.alice, accesses={key.fingerprint: Access.FULL})
    made.path.mkdir(parents=True)
    version = await keep(made, b"good")
    await factories.open_session(made, key)
    with pytest.raises(Conflict, match="session"):
        await config_restore.restore_config(people.alice, made.id, version)


async def test_a_version_of_another_repository_is_not_put_back(people: People) -> None:
    made = await factories.make_repository(people.alice)
    other = await factories.make_repository(people.charlie)
    with pytest.raises(NotFound):
        await config_restore.restore_config(people.alice, made.id, await keep(other, b"secret"))
