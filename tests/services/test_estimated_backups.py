"""When the last backup was where no session made it: the disk tells, as an estimate."""

from __future__ import annotations

import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hive import clock
from hive.kinds import Mode
from hive.services import imports, local_changes, repositories, statistics
from hive.services.permissions import OPERATOR
from hive.services.repository_infos import RepositoryInfo
from tests import factories
from tests.factories import People
from tests.programs import borg_command


async def backup_of(login: str) -> tuple[datetime | None, bool]:
    info = await repositories.find_repository(OPERATOR, login)
    return info.last_backup_at, info.last_backup_is_estimated


async def notice(info: RepositoryInfo) -> None:
    """Look at the disk as the watcher does."""
    await local_changes.Watcher()._tell(info.id, info.path)


async def test_an_import_tells_when_it_was_last_written(people: People, tmp_path: Path) -> None:
    made = await factories.make_repository(people.alice, mode=Mode.IMPORT)
    staging = made.path.parent / ".import"
    factories.make_borg_repository(tmp_path / "elsewhere", tmp_path / "base")
    shutil.copytree(tmp_path / "elsewhere", staging)
    long_ago = time.time() - 9 * 86400
    for path in staging.rglob("*"):
        os.utime(path, (long_ago, long_ago))
    await imports.switch_mode(people.alice, made.id, Mode.BORG)
    at, is_estimated = await backup_of(made.login)
    assert is_estimated
    assert at is not None
    assert abs(at.timestamp() - long_ago) < 2


async def test_a_time_in_the_future_is_not_believed(people: People, tmp_path: Path) -> None:
    made = await factories.make_repository(people.alice)
    factories.make_borg_repository(made.path, tmp_path / "base")
    ahead = time.time() + 86400 * 400
    for path in made.path.iterdir():
        os.utime(path, (ahead, ahead))
    await notice(made)
    at, _ = await backup_of(made.login)
    assert at is not None
    assert at <= datetime.now(UTC)


@pytest.mark.parametrize("version", ["1.2", "1.4"])
async def test_a_backup_past_the_gate_is_one_and_tidying_up_is_none(
    people: People, tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(factories, "BORG", borg_command(version))
    base = tmp_path / "base"
    made = await factories.make_repository(people.alice)
    factories.make_borg_repository(made.path, base)
    await notice(made)  # it is adopted
    await statistics.measure(made.id)
    first, is_estimated = await backup_of(made.login)
    assert first is not None
    assert is_estimated
    (base / "source" / "more").write_bytes(os.urandom(200_000))
    later = clock.now() + timedelta(hours=1)
    clock.use(lambda: later)
    factories.borg("create", f"{made.path}::second", base / "source", base=base)
    await notice(made)
    assert await backup_of(made.login) == (later, True)
    much_later = later + timedelta(hours=1)
    clock.use(lambda: much_later)
    for words in (
        ("rename", f"{made.path}::first", "renamed"),
        ("delete", f"{made.path}::renamed"),
        ("compact", made.path),
        ("check", made.path),
    ):
        factories.borg(*words, base=base)
        await notice(made)
        assert await backup_of(made.login) == (later, True), words
