"""What measuring after sessions tells of backups that came through the gate."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from hive.kinds import Access, EventKind
from hive.models import Event
from hive.services import runtime
from hive.services.alarms import alarms
from hive.services.measurements import insights, statistics
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue, locks
from hive.services.upkeep import append_only
from tests.e2e.gate.harness import House, until
from tests.e2e.gate.test_borg import change_access, with_repository
from tests.programs import BORG_LINES


async def measure_last(house: House) -> None:
    """As the end of a session does."""
    await until(house.is_quiet)
    session = await house.last_session()
    await statistics.measure(session.repository_id, session.id)


@pytest.mark.long
@pytest.mark.parametrize("version", BORG_LINES)
async def test_an_append_only_key_that_compacts_or_locks_deletes_nothing(
    house: House, tmp_path: Path, version: str
) -> None:
    client, url = await with_repository(house)
    source = tmp_path / "source"
    source.mkdir()
    (await client.borg("init", "-e", "repokey-blake2", url, version=version)).must()
    await change_access(Access.APPEND_ONLY)
    for words in (
        ["create", f"{url}::one", "."],
        ["compact", url],
        ["create", f"{url}::two", "."],
        ["compact", url],
        ["with-lock", url, "true"],
        ["check", url],
        ["compact", "--cleanup-commits", url],
    ):
        (source / "file").write_bytes(os.urandom(100_000))
        (await client.borg(*words, cwd=source, version=version)).must()
        await measure_last(house)
    info = await catalogue.find_repository(OPERATOR, "laptop")
    assert not await Event.filter(kind=EventKind.APPEND_ONLY_DELETION).exists()
    assert await append_only.deletions(info.id) == []
    (await client.borg("delete", f"{url}::one", version=version)).must()
    await measure_last(house)
    assert await Event.filter(kind=EventKind.APPEND_ONLY_DELETION).count() == 1
    assert len(await append_only.deletions(info.id)) == 1


@pytest.mark.long
async def test_what_an_append_only_key_deletes_is_told(house: House, tmp_path: Path) -> None:
    client, url = await with_repository(house)
    (tmp_path / "source").mkdir()
    (await client.borg("init", "-e", "repokey-blake2", url)).must()
    await measure_last(house)
    for name in ("one", "two"):
        (tmp_path / "source" / "file").write_bytes(os.urandom(3_000_000))
        (await client.borg("create", f"{url}::{name}", ".", cwd=tmp_path / "source")).must()
        await measure_last(house)
    (await client.borg("compact", url)).must()
    await measure_last(house)
    await change_access(Access.APPEND_ONLY)
    (await client.borg("create", f"{url}::three", ".", cwd=tmp_path / "source")).must()
    await measure_last(house)
    alarming = alarms.UNTIL_ANSWERED
    assert await Event.filter(kind__in=alarming).count() == 0
    (await client.borg("delete", f"{url}::three")).must()
    await measure_last(house)
    (await client.borg("delete", f"{url}::one", "two")).must()
    await measure_last(house)
    told = [row.kind for row in await Event.filter(kind__in=alarming).order_by("id")]
    assert told.count(EventKind.APPEND_ONLY_DELETION) == 2
    assert told.count(EventKind.MASS_DELETION) == 1
    info = await catalogue.find_repository(OPERATOR, "laptop")
    insight = await insights.insight_of(info)
    assert (insight.encryption, insight.append_only) == ("repokey", False)
    assert insight.reclaimable_bytes is not None
    assert insight.reclaimable_bytes > 6_000_000


async def test_the_lock_of_a_killed_session_is_cleared(house: House) -> None:
    client, url = await with_repository(house)
    (await client.borg("init", "-e", "repokey-blake2", url)).must()
    info = await catalogue.find_repository(OPERATOR, "laptop")
    process = await client.start("/usr/bin/borg", "with-lock", url, "sleep", "60")

    async def is_locked() -> bool:
        return bool(locks.look(info.path))

    await until(is_locked)
    (lock,) = locks.look(info.path)
    assert (lock.host_id, lock.is_ours, lock.is_dead) == (runtime.host_id(), True, False)
    os.kill(lock.pid, signal.SIGKILL)

    async def is_free() -> bool:
        return not locks.look(info.path)

    await until(is_free)  # what is done after the end of a session removes it
    os.killpg(process.pid, signal.SIGKILL)  # with what it runs, which holds its output open
    await process.communicate()
    (await client.borg("list", url)).must()
