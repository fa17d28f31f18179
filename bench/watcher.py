"""What watching many repositories at rest costs: memory, time of the processor, statements.

Each measurement runs in a process of its own, on the same repositories and database; the one
without the watcher has the same services running and does nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tortoise.connection import get_connection

from hive import log
from hive.background import spawn
from hive.config import settings as config
from hive.services import runtime
from hive.services.measurements.local_changes import LocalChangeWatch
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from tests import factories

REPOSITORIES = int(os.environ.get("HIVE_BENCH_REPOSITORIES", "1000"))
SECONDS = float(os.environ.get("HIVE_BENCH_SECONDS", "60"))
PAIRS = int(os.environ.get("HIVE_BENCH_PAIRS", "3"))
_PROFILES = {"nothing": False, "watcher": True}


@dataclass
class Cost:
    """Of one piece of a run."""

    processor_seconds: float
    wall_seconds: float
    statements: int


@dataclass
class Run:
    pss_bytes: int
    watched: int
    start: Cost  # the first look at everything
    rest: Cost
    rescan: Cost


class _Meter:
    """Counts the statements that reach SQLite, and the processor's time of this process."""

    def __init__(self) -> None:
        self._statements = 0
        self._begun = (0.0, 0.0, 0)

    async def attach(self) -> None:
        client = get_connection("default")
        await client._connection.set_trace_callback(self._count)  # type: ignore[attr-defined]  # noqa: SLF001

    def _count(self, _: str) -> None:
        self._statements += 1

    def begin(self) -> None:
        self._begun = (_processor_seconds(), time.perf_counter(), self._statements)

    def end(self) -> Cost:
        processor, wall, statements = self._begun
        return Cost(
            _processor_seconds() - processor,
            time.perf_counter() - wall,
            self._statements - statements,
        )


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _pss() -> int:
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise LookupError("Pss")


async def _prepare(directory: Path) -> None:
    """Fill a data directory: rows in the database, and copies of what a real borg made."""
    settings = factories.make_settings(directory)
    await runtime.start(settings)
    owner = await factories.make_user("alice")
    template = directory / "template"
    factories.make_borg_repository(template, directory / "client")
    for number in range(REPOSITORIES):
        made = await factories.make_repository(owner, f"repository{number}")
        info = await catalogue.find_repository(OPERATOR, made.login)
        info.path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(template, info.path)
    await runtime.stop()


async def _measure(directory: Path, *, watches: bool) -> Run:
    settings = config.load(None, data_dir=directory, environment={})
    log.configure("warning", "text")
    await runtime.start(settings)
    meter = _Meter()
    await meter.attach()
    watcher = LocalChangeWatch(settle_seconds=1.0, rescan_seconds=SECONDS * 100)
    meter.begin()
    task = spawn(watcher.run(), name="watcher") if watches else None
    if watches:
        await _is_idle(watcher)
    start = meter.end()
    await asyncio.sleep(2)  # what the start left in the queues is none of the rest
    meter.begin()
    await asyncio.sleep(SECONDS)
    rest = meter.end()
    meter.begin()
    if watches:
        watcher.stir()
        await _is_idle(watcher)
    rescan = meter.end()
    run = Run(_pss(), len(watcher.watched), start, rest, rescan)
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await runtime.stop()
    return run


async def _is_idle(watcher: LocalChangeWatch) -> None:
    """Wait until the watcher has looked at everything and waits for something to happen."""
    await asyncio.sleep(1.2)  # it waits for things to settle before it looks
    waiting = watcher._stirred._waiters  # type: ignore[attr-defined]  # noqa: SLF001
    while not waiting:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


def _run(directory: Path, profile: str) -> Run:
    command = [sys.executable, "-m", "bench.watcher", profile, str(directory)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    values = json.loads(done.stdout)
    costs = {name: Cost(**values.pop(name)) for name in ("start", "rest", "rescan")}
    return Run(**values, **costs)


def _show(cost: Cost) -> str:
    return (
        f"{cost.processor_seconds:6.2f} s of processor, {cost.statements:6} statements"
        f" in {cost.wall_seconds:5.1f} s"
    )


def _compare(directory: Path) -> None:
    _run(directory, "watcher")  # the first ever notes what is there
    differences = []
    for pair in range(PAIRS):
        runs = {}
        for profile in sorted(_PROFILES, reverse=bool(pair % 2)):
            runs[profile] = _run(directory, profile)
        with_it, without = runs["watcher"], runs["nothing"]
        assert with_it.watched == REPOSITORIES, with_it  # noqa: S101 - else nothing was measured
        difference = with_it.pss_bytes - without.pss_bytes
        differences.append(difference)
        print(
            f"memory (PSS): {with_it.pss_bytes / 1e6:.1f} MB with,"
            f" {without.pss_bytes / 1e6:.1f} MB without:"
            f" {difference / 1e6:.1f} MB, {difference / REPOSITORIES / 1e3:.2f} kB a repository"
        )
        print(f"  at start:  {_show(with_it.start)}")
        print(f"  at rest:   {_show(with_it.rest)}; without: {_show(without.rest)}")
        print(f"  a rescan:  {_show(with_it.rescan)}")
    median = sorted(differences)[len(differences) // 2]
    print(
        f"{REPOSITORIES} repositories cost {median / 1e6:.1f} MB (median of {PAIRS} pairs),"
        f" {median / REPOSITORIES / 1e3:.2f} kB each"
    )


def main() -> None:
    if sys.argv[1:2] and sys.argv[1] in _PROFILES:
        profile, directory = sys.argv[1:3]
        run = asyncio.run(_measure(Path(directory), watches=_PROFILES[profile]))
        print(json.dumps(asdict(run)))
        return
    with tempfile.TemporaryDirectory() as made:
        asyncio.run(_prepare(Path(made) / "hive"))
        _compare(Path(made) / "hive")


if __name__ == "__main__":
    main()
