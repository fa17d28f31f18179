"""When the last backup was where no session made it: the disk tells, as an estimate."""

from __future__ import annotations

import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hive import clock
from hive.borg import manifest
from hive.kinds import EventKind, Mode
from hive.models import Repository
from hive.services import events
from hive.services.lifecycle import imports
from hive.services.measurements import local_changes, statistics
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from tests import factories
from tests.e2e.gate.harness import until
from tests.factories import People
from tests.programs import BORG_LINES, borg_command
from tests.services.measurements.watching import watching

LONG_AGO = 9 * 86400
KEY = {"BORG_PASSPHRASE": "a passphrase for tests"}


async def backup_of(login: str) -> tuple[datetime | None, bool]:
    info = await catalogue.find_repository(OPERATOR, login)
    return info.last_backup_at, info.last_backup_is_estimated


async def maybe_backup(info: RepositoryInfo) -> datetime | None:
    return (await Repository.get(id=info.id)).maybe_backup_at


async def notice(info: RepositoryInfo) -> None:
    """Look at the disk as the watcher does."""
    await local_changes.LocalChangeWatch(arrival_seconds=0.0)._tell(info.id, info.path)


def make(path: Path, base: Path, encryption: str) -> Path:
    """A repository with one archive, in a place of its own."""
    source = base / "source"
    source.mkdir(parents=True, exist_ok=True)
    (source / "file").write_bytes(os.urandom(50_000))
    path.parent.mkdir(parents=True, exist_ok=True)
    factories.borg("init", "-e", encryption, path, base=base, **KEY)
    factories.borg("create", f"{path}::first", source, base=base, **KEY)
    return path


def age(path: Path, seconds: int = LONG_AGO) -> float:
    then = time.time() - seconds
    for one in (path, *path.rglob("*")):
        os.utime(one, (then, then))
    return then


async def test_an_import_tells_when_it_was_last_written(people: People, tmp_path: Path) -> None:
    made = await factories.make_repository(people.alice, mode=Mode.IMPORT)
    make(tmp_path / "elsewhere", tmp_path / "base", "repokey")
    shutil.copytree(tmp_path / "elsewhere", made.path.parent / ".import")
    then = age(made.path.parent / ".import")
    await imports.switch_mode(people.alice, made.id, Mode.BORG)
    at, is_estimated = await backup_of(made.login)
    assert is_estimated
    assert at is not None
    assert abs(at.timestamp() - then) < 2


@pytest.mark.parametrize("encryption", ["none", "authenticated"])
async def test_an_import_tells_by_its_archives_where_they_can_be_read(
    people: People, tmp_path: Path, encryption: str
) -> None:
    made = await factories.make_repository(people.alice, mode=Mode.IMPORT)
    make(tmp_path / "elsewhere", tmp_path / "base", encryption)
    shutil.copytree(tmp_path / "elsewhere", made.path.parent / ".import")
    age(made.path.parent / ".import")
    await imports.switch_mode(people.alice, made.id, Mode.BORG)
    at, is_estimated = await backup_of(made.login)
    assert is_estimated
    assert at is not None
    assert abs(at.timestamp() - time.time()) < 60


async def test_a_time_in_the_future_is_not_believed(people: People, tmp_path: Path) -> None:
    for encryption in ("none", "repokey"):
        made = await factories.make_repository(people.alice, encryption)
        make(made.path, tmp_path / encryption, encryption)
        age(made.path, -86400 * 400)
        await notice(made)
        at, _ = await backup_of(made.login)
        assert at is not None
        assert at <= datetime.now(UTC)


@pytest.mark.long
@pytest.mark.parametrize("encryption", ["none", "repokey-blake2"])
async def test_what_is_copied_into_place_while_running_is_estimated(
    people: People, tmp_path: Path, encryption: str
) -> None:
    """Nobody has logged in: not even the directory of its login is there."""
    made = await factories.make_repository(people.alice)
    elsewhere = make(tmp_path / "elsewhere", tmp_path / "base", encryption)
    then = age(elsewhere)
    assert not made.path.parent.exists()

    async def is_estimated() -> bool:
        return (await backup_of(made.login))[1]

    async with watching(rescan_seconds=600.0, arrival_seconds=1.0):
        await until(lambda: _is_looked_at(made))
        shutil.copytree(elsewhere, made.path)
        await until(is_estimated, seconds=30)
    at, _ = await backup_of(made.login)
    assert at is not None
    if encryption != "none":
        assert abs(at.timestamp() - then) < 2
    assert (await catalogue.find_repository(OPERATOR, made.login)).size_bytes is not None


async def _is_looked_at(info: RepositoryInfo) -> bool:
    return (await Repository.get(id=info.id)).known_state == ""


async def test_what_is_copied_into_place_while_stopped_is_estimated(
    people: People, tmp_path: Path
) -> None:
    made = await factories.make_repository(people.alice)
    await notice(made)  # the first look, at nothing
    then = age(make(made.path, tmp_path / "base", "repokey"))

    async def is_estimated() -> bool:
        return (await backup_of(made.login))[1]

    async with watching(made):
        await until(is_estimated)
    at, _ = await backup_of(made.login)
    assert at is not None
    assert abs(at.timestamp() - then) < 2


async def test_a_repository_without_an_archive_has_no_backup(
    people: People, tmp_path: Path
) -> None:
    for encryption in ("none", "repokey"):
        made = await factories.make_repository(people.alice, encryption)
        made.path.parent.mkdir(parents=True)
        factories.borg("init", "-e", encryption, made.path, base=tmp_path / encryption, **KEY)
        await notice(made)
        assert await backup_of(made.login) == (None, False)


@pytest.mark.long
@pytest.mark.parametrize("version", BORG_LINES)
async def test_a_backup_past_the_gate_is_one_and_tidying_up_is_none(
    people: People, tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the archives can be read."""
    monkeypatch.setattr(factories, "BORG", borg_command(version))
    base = tmp_path / "base"
    made = await factories.make_repository(people.alice)
    make(made.path, base, "none")
    await notice(made)  # it is adopted
    first, is_estimated = await backup_of(made.login)
    assert first is not None
    assert is_estimated
    (base / "source" / "more").write_bytes(os.urandom(200_000))
    factories.borg("create", f"{made.path}::second", base / "source", base=base)
    await notice(made)
    second, _ = await backup_of(made.login)
    found = manifest.read(made.path)
    assert found is not None
    assert second == found.newest_at
    assert second is not None
    assert second > first
    for words in (
        ("rename", f"{made.path}::first", "renamed"),
        ("recreate", "--comment", "x" * 500, f"{made.path}::renamed"),
        ("recreate", "--target", "copy", "-e", "more", f"{made.path}::second"),
        ("recreate", "-C", "none", "--recompress", "always", f"{made.path}::second"),
        ("delete", f"{made.path}::renamed"),
        ("compact", made.path),
        ("check", made.path),
    ):
        factories.borg(*words, base=base)
        await notice(made)
        assert (await backup_of(made.login))[0] == second, words
    assert await maybe_backup(made) is None


@pytest.mark.long
@pytest.mark.parametrize("version", BORG_LINES)
async def test_what_is_written_to_an_encrypted_repository_may_have_been_a_backup(
    people: People, tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(factories, "BORG", borg_command(version))
    base = tmp_path / "base"
    made = await factories.make_repository(people.alice)
    age(make(made.path, base, "repokey-blake2"))
    await notice(made)
    adopted = await backup_of(made.login)
    (base / "source" / "more").write_bytes(os.urandom(200_000))

    async def does(*words: str | Path) -> bool:
        """Whether borg did what may have been a backup; it never moves the last one."""
        before = await maybe_backup(made)
        at = (before or clock.now()) + timedelta(minutes=10)
        clock.use(lambda: at)
        factories.borg(*words, base=base, **KEY)
        await notice(made)
        assert await backup_of(made.login) == adopted, words
        return await maybe_backup(made) != before

    source = base / "source"
    assert await does("create", f"{made.path}::second", source)
    assert await does("create", f"{made.path}::unchanged", source)
    assert await does("recreate", "--target", "copy", "-e", "more", f"{made.path}::second")
    for words in (
        ("rename", f"{made.path}::first", "a-longer-name"),
        ("recreate", "--comment", "a comment", f"{made.path}::a-longer-name"),
        ("delete", f"{made.path}::a-longer-name"),
        ("prune", "--keep-last", "2", made.path),
        ("compact", made.path),
        ("with-lock", made.path, "true"),
        ("check", made.path),
    ):
        assert not await does(*words), words
    kinds = [one.kind for one in await events.recent(OPERATOR, repository_id=made.id)]
    assert kinds.count(EventKind.MAYBE_BACKUP) == 3


async def test_what_was_written_while_the_server_was_stopped_is_seen_whoever_looks_first(
    people: People, tmp_path: Path
) -> None:
    made = await factories.make_repository(people.alice)
    age(make(made.path, tmp_path / "base", "repokey"))
    await notice(made)
    await statistics.measure(made.id)
    factories.borg("create", f"{made.path}::two", tmp_path / "base", base=tmp_path, **KEY)
    await statistics.measure(made.id)
    first = await maybe_backup(made)
    assert first is not None
    await notice(made)
    assert await maybe_backup(made) == first


@pytest.mark.long
async def test_an_older_state_takes_the_last_backup_back_with_it(
    people: People, tmp_path: Path
) -> None:
    for encryption in ("none", "repokey"):
        base = tmp_path / encryption
        made = await factories.make_repository(people.alice, encryption)
        make(made.path, base, encryption)
        await notice(made)
        shutil.copytree(made.path, base / "snapshot")
        older, _ = await backup_of(made.login)
        if encryption == "repokey":
            older = datetime.fromtimestamp(age(base / "snapshot"), UTC)
        factories.borg("create", f"{made.path}::second", base / "source", base=base, **KEY)
        await notice(made)
        await repositories_note(made)
        shutil.rmtree(made.path)
        shutil.copytree(base / "snapshot", made.path)
        await notice(made)
        at, is_estimated = await backup_of(made.login)
        assert is_estimated
        assert at is not None
        assert older is not None
        assert abs((at - older).total_seconds()) < 2, encryption
        assert await maybe_backup(made) is None


async def repositories_note(info: RepositoryInfo) -> None:
    """As if the newest backup had been proven."""
    from hive.services.health import review  # noqa: PLC0415

    await review.note_backup(info.id, clock.now(), is_estimated=True)


async def test_a_size_is_what_lies_there_after_data_is_lost(people: People, tmp_path: Path) -> None:
    made = await factories.make_repository(people.alice)
    make(made.path, tmp_path / "base", "none")
    await notice(made)
    await statistics.measure(made.id)
    (newest,) = (made.path / "data" / "0" / str(_transaction(made.path)),)
    lost = newest.read_bytes()
    newest.unlink()
    watcher = local_changes.LocalChangeWatch(arrival_seconds=0.0)
    row = await Repository.get(id=made.id).select_related("location")
    assert await watcher._is_new(row, made.path)
    await watcher._tell(made.id, made.path)
    (told,) = [
        one.message
        for one in await events.recent(OPERATOR, repository_id=made.id)
        if one.kind == EventKind.INTEGRITY_ERROR
    ]
    assert "newest segment" in told
    shutil.move(made.path / "data", tmp_path / "away")
    await watcher._tell(made.id, made.path)
    size = (await catalogue.find_repository(OPERATOR, made.login)).size_bytes
    on_disk = sum(one.stat().st_size for one in made.path.rglob("*") if one.is_file())
    assert size is not None
    assert abs(size - on_disk) < 1000
    shutil.move(tmp_path / "away", made.path / "data")
    newest.write_bytes(lost)
    await watcher._tell(made.id, made.path)
    kinds = [one.kind for one in await events.recent(OPERATOR, repository_id=made.id)]
    assert kinds[0] == EventKind.ALARM_ENDED


def _transaction(path: Path) -> int:
    return max(int(one.name.partition(".")[2]) for one in path.glob("index.*"))
