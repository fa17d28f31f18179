"""How far the server's own borg is: told while it runs, kept while it pauses, asked for by others.

Real borgs read real segments; what they say passes through a relay that is slow enough to look.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from hive import control_server, long_work, signals
from hive.background import spawn
from hive.borg.verify import Verified, verify
from hive.cli import progress
from hive.kinds import UpkeepKind, UpkeepState
from hive.long_work import WorkKind
from hive.meter import Meter, Unit
from hive.services import runtime
from hive.services.lifecycle import imports
from hive.services.overview import running_work
from hive.services.permissions import OPERATOR
from hive.services.upkeep import queue, worker
from hive.services.upkeep.queue import UpkeepInfo
from hive.services.upkeep.worker import UpkeepWorker
from hive.signals import WorkProgress
from tests.e2e.gate.files import noise
from tests.e2e.gate.harness import Client, House, until
from tests.e2e.gate.test_borg import with_repository
from tests.e2e.gate.test_upkeep import ended, laptop, measured
from tests.programs import borg_command

_ARCHIVES = 8  # each has some segments of its own


@pytest.fixture
async def at_work(house: House, tmp_path: Path) -> AsyncIterator[UpkeepWorker]:
    """A worker whose borg is that of the distribution, each line of which comes a little later."""
    relay = tmp_path / "relayed-borg"
    relay.write_text(
        f'#!/bin/bash\n{borg_command("1.2")} "$@" 2>&1 | while IFS= read -r line; do\n'
        "  printf '%s\\n' \"$line\" >&2; sleep 0.15\ndone\nexit ${PIPESTATUS[0]}\n"
    )
    relay.chmod(0o755)
    program = house.gate.host.programs.borg
    assert program is not None
    programs = replace(house.gate.host.programs, borg=replace(program, path=str(relay)))
    made = UpkeepWorker(replace(house.gate.host, programs=programs))
    task = spawn(made.run(), name="upkeep")
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.fixture
def told(house: House, monkeypatch: pytest.MonkeyPatch) -> list[WorkProgress]:
    monkeypatch.setattr(long_work, "_TELL_EVERY", 0.05)
    found: list[WorkProgress] = []

    def note(happening: signals.Happening) -> None:
        if isinstance(happening, WorkProgress):
            found.append(happening)

    signals.subscribe(note)
    return found


async def with_archives(house: House, tmp_path: Path) -> Client:
    client, url = await with_repository(house)
    (await client.borg("init", "-e", "repokey-blake2", url)).must()
    source = tmp_path / "source"
    source.mkdir()
    for number in range(_ARCHIVES):
        (source / "file").write_bytes(noise(100_000, seed=number))
        (await client.borg("create", f"{url}::{number}", ".", cwd=source)).must()
    await measured(house)
    return client


async def figures(asked: UpkeepInfo) -> list[int]:
    """How much was done each time somebody looked, until the work is over."""
    seen: list[int] = []
    while (await queue.get(asked.id)).is_open:
        work = long_work.one(asked.repository_id, WorkKind(asked.kind))
        if work is not None and work.reading is not None and work.reading.done not in seen:
            assert work.reading.unit == Unit.SEGMENTS
            seen.append(work.reading.done)
        await asyncio.sleep(0.05)
    return seen


@pytest.mark.long
async def test_a_check_shows_how_many_segments_it_has_read(
    house: House, tmp_path: Path, told: list[WorkProgress], at_work: UpkeepWorker
) -> None:
    await with_archives(house, tmp_path)
    info = await laptop()
    segments = len([one for one in (info.path / "data").rglob("*") if one.is_file()])
    asked = await queue.ask(OPERATOR, info.id, UpkeepKind.CHECK)
    server = await control_server.serve(runtime.paths().control_socket)
    try:

        async def has_begun() -> bool:
            work = await progress.of_the_server(info.id, WorkKind.CHECK)
            return work is not None and work.reading is not None

        await until(has_begun, seconds=20)
        from_outside = await progress.of_the_server(info.id, WorkKind.CHECK)
        seen = await figures(asked)
    finally:
        await server.close()
    assert from_outside is not None
    assert from_outside.reading is not None
    assert from_outside.reading.total == segments
    assert len(seen) >= 4
    assert seen == sorted(seen)
    assert seen[-1] <= segments
    done = await ended(asked)
    assert (done.state, done.problems) == (UpkeepState.DONE, ())
    of_check = [one for one in told if one.kind == WorkKind.CHECK]
    assert (of_check[0].is_change, of_check[-1].is_change) == (True, True)
    assert any(not one.is_change for one in of_check)
    assert long_work.of(info.id) == []


@pytest.mark.long
async def test_a_compaction_shows_how_many_segments_it_has_rewritten(
    house: House, tmp_path: Path, at_work: UpkeepWorker
) -> None:
    client = await with_archives(house, tmp_path)
    info = await laptop()
    for number in range(_ARCHIVES - 1):
        (await client.borg("delete", f"{info.url}::{number}")).must()
    await until(house.is_quiet)
    asked = await queue.ask(OPERATOR, info.id, UpkeepKind.COMPACT)
    assert len(await figures(asked)) >= 2
    assert (await ended(asked)).state == UpkeepState.DONE


@pytest.mark.long
async def test_a_check_that_gives_way_says_why_and_where_it_stopped(
    house: House, tmp_path: Path, at_work: UpkeepWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_WHOLE_BYTES", 0)
    monkeypatch.setattr(worker, "_REST", 3600.0)
    client = await with_archives(house, tmp_path)
    info = await laptop()
    asked = await queue.ask(OPERATOR, info.id, UpkeepKind.CHECK)

    async def is_some_way() -> bool:
        work = long_work.one(info.id, WorkKind.CHECK)
        return work is not None and work.reading is not None and work.reading.done >= 2

    await until(is_some_way, seconds=20)
    (await client.borg("list", info.url)).must()
    await until(house.is_quiet)
    current = await queue.get(asked.id)
    assert current.state == UpkeepState.WAITING
    (shown,) = await running_work.shown_works(info.id, [current])
    assert (shown.is_running, shown.has_begun, shown.asked_by) == (False, True, OPERATOR.name)
    assert shown.why == "The check waits for its turn."
    assert shown.progress is not None
    assert shown.progress.reading is not None
    assert shown.progress.reading.done >= 2
    assert shown.progress.left is None
    monkeypatch.setattr(at_work, "_rested_at", {})
    at_work._stir.set()
    assert (await ended(asked, seconds=60)).state == UpkeepState.DONE


@pytest.mark.long
async def test_an_import_counts_its_files_while_it_is_verified(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await with_archives(house, tmp_path)
    path = (await laptop()).path
    counted: list[tuple[Unit | None, int]] = []

    def watched(staging: Path, meter: Meter) -> Verified:
        facts = verify(staging, meter)
        counted.append((meter.unit, meter.done))
        assert long_work.running()[0].kind == WorkKind.VERIFY
        return facts

    monkeypatch.setattr("hive.services.lifecycle.imports.verify", watched)
    where = await imports._place((await laptop()).id)
    path.rename(where.staging)
    settled = await imports.finish_import((await laptop()).id)
    assert settled.facts is not None
    segments = len([one for one in (path / "data").rglob("*") if one.is_file()])
    assert counted == [(Unit.SEGMENTS, segments)]
    assert long_work.of((await laptop()).id) == []
