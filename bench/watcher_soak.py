"""Minutes of real borg through the gate and past it, with what can happen to a watcher in between.

    script/bench watcher_soak [MINUTES]

Repositories get backups through a gate, by borgs on the server, and by both in turn. Every minute
the kernel's queue overflows, and while nobody reads it one repository's directory is replaced.
On the way one repository is deleted, one moved aside for a copy, and one vanishes from the disk.
Before that, in a user namespace of its own, more is to be watched than the kernel allows.
In the end each change past the gate was told once, in one series, and nothing else was told.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from asyncinotify import Event as Notice
from asyncinotify import Mask

from bench import watcher_limit
from hive import log
from hive.background import spawn
from hive.kinds import Access, EventKind
from hive.models import Event
from hive.services.lifecycle import trash
from hive.services.measurements.local_changes import LocalChangeWatch
from hive.services.permissions import OPERATOR
from hive.services.repositories.infos import RepositoryInfo
from hive.services.sessions import record
from tests.e2e.gate.files import make_files
from tests.e2e.gate.harness import Client, House, open_house, until
from tests.programs import borg_command
from tests.services.measurements.watching import borg, environment

MINUTES = float(sys.argv[1] if sys.argv[1:] else os.environ.get("HIVE_BENCH_MINUTES", "10"))
SETTLE_SECONDS = 0.2
_LETTERS = {
    EventKind.OPENED_LOCALLY: "O",
    EventKind.UPDATED_LOCALLY: "U",
    EventKind.CLOSED_LOCALLY: "C",
}
# A backup that holds its lock for longer than the watcher waits is a whole series; what is
# shorter may be over before anybody looks.
_SERIES = re.compile(r"(OUC|U)*")
_MOST_GROWTH = 16 * 1024 * 1024  # from the middle of the run to its end
_SAMPLES = 30


@dataclass
class Soak:
    client: Client
    source: Path
    watcher: LocalChangeWatch
    end: float
    overflows_heard: int = 0
    updates: Counter[int] = field(default_factory=Counter)  # by repository, as they must be told
    held: Counter[int] = field(default_factory=Counter)  # those of them that held the lock long
    gate_commands: Counter[int] = field(default_factory=Counter)
    resident: list[int] = field(default_factory=list)

    @property
    def goes_on(self) -> bool:
        return time.monotonic() < self.end

    async def gate(self, info: RepositoryInfo, *words: str | Path) -> None:
        (await self.client.borg(*words, cwd=self.source)).must()
        self.gate_commands[info.id] += 1


async def told(info: RepositoryInfo) -> str:
    """What was told of the repository, a letter for each event, the oldest first."""
    rows = await Event.filter(repository_id=info.id, kind__in=list(_LETTERS)).order_by("id")
    return "".join(_LETTERS[row.kind] for row in rows)


async def _has(info: RepositoryInfo, letter: str, least: int) -> bool:
    return (await told(info)).count(letter) >= least


async def _is_told(info: RepositoryInfo, letter: str, least: int) -> None:
    try:
        await until(partial(_has, info, letter, least), seconds=60)
    except TimeoutError:
        raise AssertionError(
            f"{info.name}: {letter} {least} is missing: {await told(info)}"
        ) from None


async def long_backup(soak: Soak, info: RepositoryInfo, name: str, version: str) -> None:
    """A backup that waits for its input with the lock in its hands until that was told."""
    opened = (await told(info)).count("O")
    process = await asyncio.create_subprocess_exec(
        borg_command(version),
        *("create", f"::{name}", "-"),
        env=environment(info),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    await _is_told(info, "O", opened + 1)
    _, err = await process.communicate(name.encode())
    assert process.returncode == 0, err  # noqa: S101
    soak.updates[info.id] += 1
    soak.held[info.id] += 1
    await _is_told(info, "U", soak.updates[info.id])
    await _is_told(info, "C", opened + 1)


async def short_backup(soak: Soak, info: RepositoryInfo, name: str, version: str) -> None:
    await borg(info, "create", f"::{name}", str(soak.source), version=version)
    soak.updates[info.id] += 1
    await _is_told(info, "U", soak.updates[info.id])
    await asyncio.sleep(SETTLE_SECONDS * 3)  # so that the next is another series


async def through_the_gate(soak: Soak, info: RepositoryInfo) -> None:
    await soak.gate(info, "init", "-e", "none", info.url)
    number = 0
    while soak.goes_on:
        await soak.gate(info, "create", f"{info.url}::a{number}", ".")
        number += 1
        if number % 3 == 0:
            await soak.gate(info, "prune", "--keep-last", "2", info.url)
            await soak.gate(info, "compact", info.url)


async def past_the_gate(soak: Soak, info: RepositoryInfo, version: str) -> None:
    number = 0
    while soak.goes_on:
        backup = short_backup if number % 3 == 2 else long_backup
        await backup(soak, info, f"a{number}", version)
        number += 1


async def both_in_turn(soak: Soak, info: RepositoryInfo) -> None:
    number = 0
    while soak.goes_on:
        await soak.gate(info, "create", f"{info.url}::gate{number}", ".")
        await until(partial(_is_quiet, info), seconds=60)
        await long_backup(soak, info, f"local{number}", "1.4")
        number += 1


async def _is_quiet(info: RepositoryInfo) -> bool:
    return not await record.list_sessions(OPERATOR, repository_id=info.id, live=True)


def overflow(directory: Path) -> None:
    """More notices than the kernel's queue holds; in the loop's thread, so that none is read."""
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    file = directory / "stirred"
    for _ in range(most // 2 + 100):
        file.touch()
        file.unlink()


async def overflows(soak: Soak, stirred: RepositoryInfo, reborn: RepositoryInfo) -> int:
    """Overflow the queue each minute; what replaces a directory meanwhile goes unheard."""
    template = reborn.path.with_name("template")
    shutil.copytree(reborn.path, template)
    count = 0
    while soak.goes_on:
        overflow(stirred.path)
        shutil.rmtree(reborn.path)
        shutil.copytree(template, reborn.path)
        count += 1
        if count > 1:  # the first time nothing was backed up yet: it is as it was
            soak.updates[reborn.id] += 1
        await _is_told(reborn, "U", soak.updates[reborn.id])
        await _heard(soak, count)
        shutil.rmtree(reborn.path.parent / "client")  # borg minds a repository that went back
        await long_backup(soak, reborn, f"a{count}", ("1.2", "1.4")[count % 2])
        await asyncio.sleep(max(0, min(60, MINUTES * 6)))
    return count


async def _heard(soak: Soak, overflows: int) -> None:
    async def is_heard() -> bool:
        return soak.overflows_heard >= overflows

    await until(is_heard, seconds=30)


async def disturb(
    soak: Soak, deleted: RepositoryInfo, replaced: RepositoryInfo, vanished: RepositoryInfo
) -> None:
    pause = MINUTES * 60 / 4
    await asyncio.sleep(pause)
    await trash.delete_repository(OPERATOR, deleted.id)
    await asyncio.sleep(pause)
    aside = replaced.path.with_name("aside")
    shutil.copytree(replaced.path, aside)
    replaced.path.rename(replaced.path.with_name("former"))
    aside.rename(replaced.path)
    await asyncio.sleep(SETTLE_SECONDS * 5)
    await long_backup(soak, replaced, "after", "1.4")
    await asyncio.sleep(pause)
    shutil.rmtree(vanished.path)
    soak.updates[vanished.id] += 1
    await _is_told(vanished, "U", soak.updates[vanished.id])


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def measure_memory(soak: Soak) -> None:
    while soak.goes_on:
        gc.collect()
        soak.resident.append(_resident())
        await asyncio.sleep(MINUTES * 60 / _SAMPLES)


@dataclass(frozen=True)
class Cast:
    gated: list[RepositoryInfo]
    local: list[RepositoryInfo]
    mixed: RepositoryInfo
    stirred: RepositoryInfo
    reborn: RepositoryInfo
    deleted: RepositoryInfo
    replaced: RepositoryInfo
    vanished: RepositoryInfo

    @property
    def made_locally(self) -> list[RepositoryInfo]:
        others = [self.mixed, self.stirred, self.reborn]
        return [*self.local, *others, self.deleted, self.replaced, self.vanished]


async def _make_cast(house: House) -> Cast:
    access = {"laptop": Access.FULL}
    names = ("mixed", "stirred", "reborn", "deleted", "replaced", "vanished")
    cast = Cast(
        [await house.repository(f"gated{n}", access) for n in range(2)],
        [await house.repository(f"local{n}", access) for n in range(2)],
        *[await house.repository(name, access) for name in names],
    )
    for info in cast.made_locally:
        info.path.mkdir(parents=True)
        await borg(info, "init", "-e", "none", version="1.2" if info.id % 2 else "1.4")
    return cast


async def _go_through(soak: Soak, cast: Cast) -> int:
    async with asyncio.TaskGroup() as group:
        for info in cast.gated:
            group.create_task(through_the_gate(soak, info))
        for info, version in zip(cast.local, ("1.2", "1.4"), strict=True):
            group.create_task(past_the_gate(soak, info, version))
        group.create_task(both_in_turn(soak, cast.mixed))
        group.create_task(disturb(soak, cast.deleted, cast.replaced, cast.vanished))
        group.create_task(measure_memory(soak))
        count = group.create_task(overflows(soak, cast.stirred, cast.reborn))
    await asyncio.sleep(SETTLE_SECONDS * 10)  # what would be told twice is told by now
    return count.result()


async def _judge(soak: Soak, cast: Cast, task: asyncio.Task[None], overflowed: int) -> list[str]:
    """Print what there was; what is wrong with it, in words."""
    wrong = ["the watcher has ended"] if task.done() else []
    for info in (*cast.gated, *cast.made_locally):
        found, updates, held = await told(info), soak.updates[info.id], soak.held[info.id]
        print(
            f"{info.name:9} {soak.gate_commands[info.id]:4} commands through the gate,"
            f" {updates:4} changes past it, {held:4} of them long; told: opened"
            f" {found.count('O'):4}, updated {found.count('U'):4}, closed {found.count('C'):4}"
        )
        is_exact = found.count("U") == updates and held <= found.count("O") <= updates
        if not (is_exact and _SERIES.fullmatch(found)):
            wrong.append(f"{info.name}: {found} for {updates} changes")
    print(f"overflows made {overflowed}, heard of from the kernel {soak.overflows_heard}")
    if not overflowed or soak.overflows_heard < overflowed:
        wrong.append("the queue did not overflow as it should")
    expected = {info.id for info in (*cast.gated, *cast.made_locally)}
    expected -= {cast.deleted.id, cast.vanished.id}
    if soak.watcher.watched != expected:
        wrong.append(f"watched are {soak.watcher.watched}, not {expected}")
    return wrong + _judge_memory(soak.resident)


def _judge_memory(samples: list[int]) -> list[str]:
    third = max(1, len(samples) // 3)
    thirds = (samples[:third], samples[third : 2 * third], samples[-third:])
    first, middle, last = (statistics.median(part) for part in thirds)
    print(
        f"resident memory, medians of the run's thirds: {first / 1e6:.1f}, {middle / 1e6:.1f},"
        f" {last / 1e6:.1f} MB; at most {max(samples) / 1e6:.1f} MB"
    )
    return [f"memory grew from {middle} to {last}"] if last - middle > _MOST_GROWTH else []


async def _soak(house: House, directory: Path) -> list[str]:
    await house.user()
    client = house.client()
    await house.key(client, "laptop")
    cast = await _make_cast(house)
    watcher = LocalChangeWatch(settle_seconds=SETTLE_SECONDS)
    source = make_files(directory / "source")
    soak = Soak(client, source, watcher, time.monotonic() + MINUTES * 60)
    hear = watcher._hear  # noqa: SLF001

    def listen(notice: Notice) -> None:
        soak.overflows_heard += Mask.Q_OVERFLOW in notice.mask
        hear(notice)

    watcher._hear = listen  # type: ignore[method-assign]  # noqa: SLF001
    task = spawn(watcher.run(), name="watcher")
    try:
        await until(lambda: _watches(watcher, cast), seconds=60)
        overflowed = await _go_through(soak, cast)
        return await _judge(soak, cast, task, overflowed)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _watches(watcher: LocalChangeWatch, cast: Cast) -> bool:
    """Whether what is there is watched, and known: the first look tells nothing."""
    return {info.id for info in cast.made_locally} <= watcher.watched and not any(
        [await told(info) for info in cast.made_locally]
    )


async def main() -> int:
    log.configure("error", "text")
    await watcher_limit.run()
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o711)  # noqa: PTH101, S103 - children pass through
        async with open_house(Path(directory)) as house:
            wrong = await _soak(house, Path(directory))
    for words in wrong:
        print(f"WRONG: {words}")
    if not wrong:
        print(f"{MINUTES:g} minutes: the watcher runs, each change was told once, and nothing else")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
