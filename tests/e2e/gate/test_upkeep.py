"""What the server's own borg does: checks and compactions, with sessions going first."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hive import clock
from hive.background import spawn
from hive.borg.repository import snapshot
from hive.errors import Conflict, Forbidden
from hive.kinds import Access, EventKind, Operation, Role, State, UpkeepKind, UpkeepState
from hive.models import Inspection, Repository, Upkeep
from hive.services import events
from hive.services.alarms import alarms
from hive.services.health import infos as health_info
from hive.services.lifecycle import trash
from hive.services.measurements import insights, statistics
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from hive.services.upkeep import queue, stopping, worker
from hive.services.upkeep.parts import Parts
from hive.services.upkeep.queue import UpkeepInfo
from hive.services.upkeep.worker import UpkeepWorker
from tests import factories
from tests.e2e.gate.files import noise
from tests.e2e.gate.harness import Client, House, until
from tests.e2e.gate.test_borg import change_access, with_repository
from tests.programs import borg_command

CHECK, COMPACT = UpkeepKind.CHECK, UpkeepKind.COMPACT


@pytest.fixture
async def at_work(house: House) -> AsyncIterator[UpkeepWorker]:
    """A worker at work, as the server has it."""
    made = UpkeepWorker(house.gate.host)
    task = spawn(made.run(), name="upkeep")
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def with_archives(house: House, tmp_path: Path, *, size: int = 3_000_000) -> Client:
    """A repository of two archives, the second of which shares nothing with the first."""
    client, url = await with_repository(house)
    (await client.borg("init", "-e", "repokey-blake2", url)).must()
    source = tmp_path / "source"
    source.mkdir()
    for number, name in enumerate(("first", "second")):
        (source / "file").write_bytes(noise(size, seed=number))
        (await client.borg("create", f"{url}::{name}", ".", cwd=source)).must()
    await measured(house)
    return client


async def laptop() -> RepositoryInfo:
    return await catalogue.find_repository(OPERATOR, "laptop")


async def measured(house: House) -> None:
    """Wait until what follows a session is done, and measure."""
    await until(house.is_quiet)
    await statistics.measure((await laptop()).id)


async def ended(asked: UpkeepInfo, *, seconds: float = 30) -> UpkeepInfo:
    async def is_over() -> bool:
        row = await Upkeep.get(id=asked.id).select_related("repository")
        return not queue.info_of(row).is_open and row.repository.maintenance is None

    await until(is_over, seconds=seconds)
    return await queue.get(asked.id)


async def kinds() -> list[EventKind]:
    info = await laptop()
    return [row.kind for row in await events.recent(OPERATOR, repository_id=info.id)]


@pytest.mark.long
async def test_a_check_proves_a_sound_repository_and_leaves_no_trace_in_it(
    house: House, at_work: UpkeepWorker, tmp_path: Path
) -> None:
    await with_archives(house, tmp_path)
    info = await laptop()
    before = factories.tree(info.path)
    done = await ended(await queue.ask(OPERATOR, info.id, CHECK))
    assert (done.state, done.problems) == (UpkeepState.DONE, ())
    insight = await insights.insight_of(info)
    assert insight.checked_at is not None
    assert insight.check_error is None
    assert EventKind.CHECKED in await kinds()
    after = factories.tree(info.path)
    assert {name for name in before if before[name] != after.get(name)} <= {"config"}
    assert (await laptop()).last_backup_at == info.last_backup_at


@pytest.mark.long
async def test_a_damaged_segment_is_an_alarm_until_a_check_finds_it_mended(
    house: House, at_work: UpkeepWorker, tmp_path: Path
) -> None:
    client = await with_archives(house, tmp_path)
    info = await laptop()
    segment = max((info.path / "data").rglob("*"), key=lambda path: path.stat().st_size)
    sound = segment.read_bytes()
    broken = bytearray(sound)
    broken[len(broken) // 2] ^= 0xFF
    segment.write_bytes(broken)
    done = await ended(await queue.ask(OPERATOR, info.id, CHECK))
    assert "checksum mismatch" in " ".join(done.problems)
    insight = await insights.insight_of(info)
    lasting = await alarms.lasting(info.id)
    assert [alarm.kind for alarm in lasting] == [EventKind.INTEGRITY_ERROR]
    health = await health_info.health_info(OPERATOR, info.id)
    assert (health.state, health.reason) == (State.CRITICAL, "Damaged")
    assert insight.check_error is not None
    segment.write_bytes(sound)
    (await client.borg("check", "--repository-only", info.url)).must()  # a client's proves it too
    await until(house.is_quiet)
    insight = await insights.insight_of(info)
    assert (await alarms.lasting(info.id), insight.check_error) == ([], None)


@pytest.mark.long
async def test_a_check_in_parts_goes_on_where_it_stopped(
    house: House, at_work: UpkeepWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_WHOLE_BYTES", 0)
    await with_archives(house, tmp_path)
    info = await laptop()
    stopped_at = "last_segment_checked = 3\n"
    config = info.path / "config"
    config.write_text(
        config.read_text().replace("[repository]\n", f"[repository]\n{stopped_at}"), newline=""
    )
    done = await ended(await queue.ask(OPERATOR, info.id, CHECK))
    # the rest of somebody else's check came first, then all of it
    assert (done.state, done.problems) == (UpkeepState.DONE, ())
    assert "last_segment_checked" not in config.read_text()
    row = await Upkeep.get(id=done.id)
    assert not Parts.of(row).is_rest
    assert EventKind.CONFIG_CHANGED not in await kinds()


async def _slow_check(
    house: House, at_work: UpkeepWorker, info: RepositoryInfo, directory: Path
) -> UpkeepInfo:
    """A check that runs, by a borg that does nothing for 30 seconds."""
    slow = directory / "slow-borg"
    slow.write_text(f'#!/bin/sh\nsleep 30\nexec {borg_command("1.4")} "$@"\n')
    slow.chmod(0o755)
    program = house.gate.host.programs.borg
    assert program is not None
    programs = replace(house.gate.host.programs, borg=replace(program, path=str(slow)))
    at_work._host = replace(house.gate.host, programs=programs)
    asked = await queue.ask(OPERATOR, info.id, CHECK)

    async def is_running() -> bool:
        return (await queue.get(asked.id)).state == UpkeepState.RUNNING

    await until(is_running)
    return asked


@pytest.mark.long
async def test_a_session_that_arrives_goes_first_and_the_check_goes_on_after_it(
    house: House, at_work: UpkeepWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await with_archives(house, tmp_path)
    info = await laptop()
    asked = await _slow_check(house, at_work, info, tmp_path)
    (await client.borg("list", info.url)).must()  # it was not told to try again
    await until(house.is_quiet)
    session = await house.last_session()
    assert session.operation == Operation.READ
    current = await queue.get(asked.id)
    assert (current.state, current.interruptions) == (UpkeepState.WAITING, 1)
    at_work._host = house.gate.host
    monkeypatch.setattr(at_work, "_rested_at", {})
    at_work._stir.set()
    assert (await ended(asked)).problems == ()
    assert EventKind.UPDATED_LOCALLY not in await kinds()


@pytest.mark.long
async def test_a_check_that_runs_is_stopped_and_counts_as_stopped_and_not_as_failed(
    house: House, at_work: UpkeepWorker, tmp_path: Path
) -> None:
    client = await with_archives(house, tmp_path)
    info = await laptop()
    asked = await _slow_check(house, at_work, info, tmp_path)
    await stopping.stop(OPERATOR, info.id, CHECK)
    done = await ended(asked, seconds=10)
    assert done.state == UpkeepState.STOPPED
    assert done.message == "operator stopped the check."
    assert EventKind.UPKEEP_FAILED not in await kinds()
    assert await queue.waiting() == []
    with pytest.raises(Conflict, match="nothing to stop"):
        await stopping.stop(OPERATOR, info.id, CHECK)
    at_work._host = house.gate.host
    (await client.borg("list", info.url)).must()
    assert (await ended(await queue.ask(OPERATOR, info.id, CHECK))).state == UpkeepState.DONE


async def test_one_that_waits_is_stopped_before_it_begins(house: House) -> None:
    await with_repository(house)
    info = await laptop()
    await Repository.filter(id=info.id).update(initialized_at=clock.now())
    asked = await queue.ask(OPERATOR, info.id, CHECK)
    (taken,) = await queue.waiting()
    await stopping.stop(OPERATOR, info.id, CHECK)
    with pytest.raises(Conflict, match="was stopped"):
        await queue.note_begun(taken)
    assert (await queue.get(asked.id)).state == UpkeepState.STOPPED


@pytest.mark.long
async def test_a_repository_that_is_checked_can_be_deleted(
    house: House, at_work: UpkeepWorker, tmp_path: Path
) -> None:
    await with_archives(house, tmp_path)
    info = await laptop()
    await queue.ask(OPERATOR, info.id, CHECK)
    await trash.delete_repository(OPERATOR, info.id)
    assert not info.path.exists()


@pytest.mark.long
async def test_compacting_frees_what_was_deleted(
    house: House, at_work: UpkeepWorker, tmp_path: Path
) -> None:
    client = await with_archives(house, tmp_path)
    info = await laptop()
    (await client.borg("delete", f"{info.url}::first")).must()
    await measured(house)
    insight = await insights.insight_of(info)
    assert (insight.reclaimable_bytes or 0) > 2_900_000
    done = await ended(await queue.ask(OPERATOR, info.id, COMPACT))
    assert done.state == UpkeepState.DONE
    assert "3.00 MB" in done.message or "3.0 MB" in done.message or "MB were freed" in done.message
    await measured(house)
    after = await insights.insight_of(info)
    assert (after.reclaimable_bytes or 0) < 100_000
    assert after.compacted_at is not None
    assert snapshot(info.path).size_bytes == pytest.approx(3_000_000, rel=0.02)
    assert (await laptop()).last_backup_at == info.last_backup_at
    (await client.borg("check", "--verify-data", info.url)).must()


@pytest.mark.long
async def test_what_an_append_only_key_deleted_is_compacted_only_when_an_administrator_confirms(
    house: House, at_work: UpkeepWorker, tmp_path: Path
) -> None:
    client = await with_archives(house, tmp_path)
    info = await laptop()
    await change_access(Access.APPEND_ONLY)
    (await client.borg("delete", f"{info.url}::first")).must()
    await until(house.is_quiet)
    deleting = await house.last_session()
    with pytest.raises(Conflict, match=f"session {deleting.id} "):
        await queue.ask(OPERATOR, info.id, COMPACT)
    owner = replace(OPERATOR, role=Role.MEMBER, user_id=1, name="alice")
    with pytest.raises(Forbidden):
        await queue.ask(owner, info.id, COMPACT, is_confirmed=True)
    done = await ended(await queue.ask(OPERATOR, info.id, COMPACT, is_confirmed=True))
    assert done.state == UpkeepState.DONE
    assert snapshot(info.path).size_bytes == pytest.approx(3_000_000, rel=0.02)
    again = await ended(await queue.ask(OPERATOR, info.id, COMPACT))  # that one is settled
    assert again.state == UpkeepState.DONE


@pytest.mark.long
async def test_backups_of_an_append_only_key_with_checkpoints_do_not_stand_in_the_way(
    house: House, at_work: UpkeepWorker, tmp_path: Path
) -> None:
    client = await with_archives(house, tmp_path, size=100_000)
    info = await laptop()
    await change_access(Access.APPEND_ONLY)
    source = tmp_path / "source"
    for number in range(6):
        (source / f"big{number}").write_bytes(noise(8_000_000, seed=number + 10))
    words = ("--checkpoint-interval", "1", "--upload-ratelimit", "15000")
    (await client.borg("create", *words, f"{info.url}::third", ".", cwd=source)).must()
    await until(house.is_quiet)
    done = await ended(await queue.ask(OPERATOR, info.id, COMPACT))
    assert done.state == UpkeepState.DONE


@pytest.mark.long
async def test_a_deletion_between_the_asking_and_the_work_is_refused_and_told(
    house: House, tmp_path: Path
) -> None:
    client = await with_archives(house, tmp_path, size=200_000)
    info = await laptop()
    asked = await queue.ask(OPERATOR, info.id, COMPACT)
    await change_access(Access.APPEND_ONLY)
    (await client.borg("delete", f"{info.url}::first")).must()
    await until(house.is_quiet)
    assert await UpkeepWorker(house.gate.host).work()
    refused = await queue.get(asked.id)
    assert refused.state == UpkeepState.REFUSED
    assert "administrator must confirm" in refused.message
    assert EventKind.UPKEEP_REFUSED in await kinds()
    (await client.borg("list", f"{info.url}::second")).must()


@pytest.mark.long
async def test_the_schedule_wants_what_is_due_and_only_on_idle_repositories(
    house: House, tmp_path: Path
) -> None:
    await with_archives(house, tmp_path, size=100_000)
    info = await laptop()
    assert await queue.queue_due() == 0  # it was made just now
    now = clock.now()
    clock.use(lambda: now + timedelta(days=31))
    assert await queue.queue_due() == 1
    assert await queue.queue_due() == 0  # it is wanted already
    await Repository.filter(id=info.id).update(last_access_at=clock.now())
    assert not await UpkeepWorker(house.gate.host).work()
    clock.use(lambda: now + timedelta(days=31, minutes=11))
    assert await UpkeepWorker(house.gate.host).work()
    (row,) = await queue.list_upkeeps(OPERATOR, info.id)
    assert (row.state, row.asked_by, row.problems) == (UpkeepState.DONE, None, ())
    assert await queue.queue_due() == 0
    clock.use(lambda: now + timedelta(days=62, minutes=12))
    assert await queue.queue_due() == 1


async def test_a_scheduled_check_stops_when_its_minutes_are_over_and_goes_on_the_next_day(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_WHOLE_BYTES", 0)
    monkeypatch.setattr(worker, "_PART_SECONDS", 0)
    await with_archives(house, tmp_path, size=100_000)
    now = clock.now()
    clock.use(lambda: now + timedelta(days=31))
    await queue.queue_due()
    host = house.gate.host
    short = host.settings.upkeep.model_copy(update={"minutes_a_day": 0})
    settings = host.settings.model_copy(update={"upkeep": short})
    assert await UpkeepWorker(replace(host, settings=settings)).work()
    info = await laptop()
    (row,) = await queue.list_upkeeps(OPERATOR, info.id)
    assert row.state in (UpkeepState.PAUSED, UpkeepState.DONE)
    while row.state == UpkeepState.PAUSED:
        assert await queue.queue_due() == 1
        assert await UpkeepWorker(replace(host, settings=settings)).work()
        (row,) = await queue.list_upkeeps(OPERATOR, info.id)
    assert (row.state, row.problems) == (UpkeepState.DONE, ())


async def test_what_a_killed_server_was_at_is_done_by_the_next(
    house: House, tmp_path: Path
) -> None:
    await with_archives(house, tmp_path, size=100_000)
    info = await laptop()
    asked = await queue.ask(OPERATOR, info.id, CHECK)
    await Upkeep.filter(id=asked.id).update(state=UpkeepState.RUNNING)
    assert await queue.resume_all() == 1
    assert await UpkeepWorker(house.gate.host).work()
    assert (await queue.get(asked.id)).state == UpkeepState.DONE


async def test_what_cannot_be_done_says_why(house: House) -> None:
    _, _ = await with_repository(house)
    info = await laptop()
    with pytest.raises(Conflict, match="not created yet"):
        await queue.ask(OPERATOR, info.id, CHECK)
    await Repository.filter(id=info.id).update(initialized_at=clock.now())
    await Inspection.update_or_create({"kind": "borg2"}, repository_id=info.id)
    with pytest.raises(Conflict, match="needs its passphrase"):
        await queue.ask(OPERATOR, info.id, COMPACT)
