"""Backups that added suspiciously little, with real clients; and those that only did not change."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from hive.kinds import EventKind
from hive.services import events
from hive.services.alarms import alarms
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from hive.services.sessions import small_backups
from hive.services.sessions.small_backups import BackupSize, suspicion
from tests.e2e.gate.harness import Client, House, until
from tests.e2e.gate.test_borg import with_repository

SMALL = EventKind.SMALL_BACKUP
KIB, MIB = 1024, 1024**2


async def kinds() -> list[EventKind]:
    info = await catalogue.find_repository(OPERATOR, "laptop")
    return [one.kind for one in await events.recent(OPERATOR, repository_id=info.id, limit=500)]


async def backed_up(house: House, client: Client, name: str, source: Path) -> None:
    (await client.borg("create", f"{name}", ".", cwd=source)).must()
    await until(house.is_quiet)


def fill(source: Path, files: int = 30, size: int = 20 * KIB) -> Path:
    source.mkdir(exist_ok=True)
    for number in range(files):
        (source / f"file-{number}").write_bytes(os.urandom(size))
    return source


@pytest.mark.long
@pytest.mark.parametrize("encryption", ["none", "repokey-blake2"])
async def test_an_empty_source_is_told_once_and_ends_with_the_next_backup(
    house: House, tmp_path: Path, encryption: str
) -> None:
    client, url = await with_repository(house)
    (await client.borg("init", "-e", encryption, url)).must()
    source = fill(tmp_path / "source")
    await backed_up(house, client, f"{url}::one", source)
    for number in range(3):  # unchanged: nothing to tell
        await backed_up(house, client, f"{url}::same-{number}", source)
    (source / "file-0").touch()
    await backed_up(house, client, f"{url}::touched", source)
    (source / "file-1").unlink()
    await backed_up(house, client, f"{url}::one-less", source)
    assert SMALL not in await kinds()
    fill(source, files=3)
    await backed_up(house, client, f"{url}::changed", source)
    shutil.rmtree(source)
    source.mkdir()
    for number in range(2):
        await backed_up(house, client, f"{url}::empty-{number}", source)
    assert (await kinds()).count(SMALL) == 1
    info = await catalogue.find_repository(OPERATOR, "laptop")
    (alarm,) = [one for one in await alarms.lasting(info.id) if one.kind == SMALL]
    assert "source seems to be empty" in alarm.message
    await backed_up(house, client, f"{url}::back", fill(source))
    assert SMALL not in [one.kind for one in await alarms.lasting(info.id)]
    assert (await kinds()).count(SMALL) == 1


@pytest.mark.long
async def test_a_source_that_is_not_there_is_told(house: House, tmp_path: Path) -> None:
    """An archive without entries takes hardly less than one of an unchanged source."""
    client, url = await with_repository(house)
    (await client.borg("init", "-e", "repokey-blake2", url)).must()
    source = fill(tmp_path / "source")
    for number in range(3):
        (await client.borg("create", f"{url}::day-{number}", source)).must()
    await until(house.is_quiet)
    assert SMALL not in await kinds()
    fill(source, files=1)
    (await client.borg("create", f"{url}::day-3", source)).must()
    shutil.rmtree(source)
    (await client.borg("create", f"{url}::day-4", source)).must(1)
    await until(house.is_quiet)
    assert (await kinds()).count(SMALL) == 1


@pytest.mark.long
async def test_a_source_that_grew_each_day_and_then_adds_nothing_is_told_and_dismissed(
    house: House, tmp_path: Path
) -> None:
    client, url = await with_repository(house)
    (await client.borg("init", "-e", "repokey-blake2", url)).must()
    source = tmp_path / "source"
    for number in range(3):
        fill(source, files=number + 2, size=MIB)
        await backed_up(house, client, f"{url}::day-{number}", source)
    await backed_up(house, client, f"{url}::day-3", source)
    assert (await kinds()).count(SMALL) == 1
    info = await catalogue.find_repository(OPERATOR, "laptop")
    await small_backups.dismiss(OPERATOR, info.id)
    await backed_up(house, client, f"{url}::day-4", source)
    assert (await kinds()).count(SMALL) == 1
    assert SMALL not in [one.kind for one in await alarms.lasting(info.id)]


def test_what_is_usual_decides() -> None:
    much, unchanged = BackupSize(20, 5 * MIB, 600), BackupSize(1, 600, 600)
    assert suspicion(unchanged, [much, much, much]) is not None
    assert suspicion(unchanged, [much, much]) is None
    assert suspicion(unchanged, [unchanged, much, much, much]) is None  # told already
    assert suspicion(much, [much, much, much]) is None
    assert suspicion(unchanged, []) is None
    little = BackupSize(5, 40 * KIB, 600)
    assert suspicion(unchanged, [little] * 5) is None
    shorter = BackupSize(1, 540, 540)
    assert suspicion(shorter, [BackupSize(9, 300 * KIB, 600)]) is not None
    several = [BackupSize(9, 300 * KIB, 600), BackupSize(9, 300 * KIB, 900)]
    assert suspicion(shorter, several) is None
