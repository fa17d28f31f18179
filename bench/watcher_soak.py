"""Minutes of real borg through the gate and past it, with what can happen to a watcher in between.

    script/bench watcher_soak [MINUTES]

Three repositories get backups through a gate, three by a borg on the server; every minute the
kernel's queue overflows, and on the way one repository is deleted and one is replaced. In the end
the watcher still runs, what came through the gate was told as nothing else, and each change past
it once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hive import log
from hive.database import spawn
from hive.kinds import Access, EventKind
from hive.models import Event
from hive.services import repositories, trash
from hive.services.local_changes import Watcher
from hive.services.permissions import OPERATOR
from hive.services.repositories import RepositoryInfo
from tests.gate.files import make_files
from tests.gate.harness import Client, House, open_house, until
from tests.services.watching import borg

MINUTES = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
_LOCAL = (EventKind.OPENED_LOCALLY, EventKind.UPDATED_LOCALLY, EventKind.CLOSED_LOCALLY)


def overflow(directory: Path) -> None:
    """More notices than the kernel's queue holds, while nobody reads them."""
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for number in range(most // 2 + 100):
        path = directory / f"stirred-{number % 7}-{number % 2}"
        path.touch()
        path.unlink()


async def through_the_gate(client: Client, info: RepositoryInfo, source: Path, end: float) -> int:
    """Backups by a client, pruned and compacted now and then; how many there were."""
    (await client.borg("init", "-e", "none", info.url)).must()
    number = 0
    while time.monotonic() < end:
        (await client.borg("create", f"{info.url}::a{number}", ".", cwd=source)).must()
        number += 1
        if number % 3 == 0:
            (await client.borg("prune", "--keep-last", "2", info.url)).must()
            (await client.borg("compact", info.url)).must()
    return number


async def past_the_gate(info: RepositoryInfo, source: Path, version: str, end: float) -> int:
    """Backups by a borg on the server; how many changes there were."""
    changes, before = 0, (await local_events(info))["updated locally"]
    while time.monotonic() < end:
        (source / f"new-{info.name}").write_text(str(changes))
        await borg(info, "create", f"::a{changes}", str(source), version=version)
        changes += 1
        await until(partial(_is_told, info, before + changes), seconds=60)
        await asyncio.sleep(2)
    return changes


async def _is_told(info: RepositoryInfo, changes: int) -> bool:
    return (await local_events(info))["updated locally"] == changes


async def stir(victim: RepositoryInfo, end: float) -> int:
    count = 0
    while time.monotonic() + 30 < end:
        overflow(victim.path)  # in the loop's own thread: nobody can read meanwhile
        count += 1
        await asyncio.sleep(min(60, MINUTES * 6))
    return count


async def disturb(deleted: RepositoryInfo, replaced: RepositoryInfo, seconds: float) -> None:
    await asyncio.sleep(seconds / 3)
    await trash.delete_repository(OPERATOR, deleted.id)
    await asyncio.sleep(seconds / 3)
    aside = replaced.path.with_name("aside")
    replaced.path.rename(aside)
    shutil.copytree(aside, replaced.path)
    shutil.rmtree(aside)


def rss() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


async def local_events(info: RepositoryInfo) -> Counter[str]:
    rows = await Event.filter(repository_id=info.id, kind__in=_LOCAL)
    return Counter(str(row.kind) for row in rows)


@dataclass(frozen=True)
class Repositories:
    gated: list[RepositoryInfo]
    local: list[RepositoryInfo]
    deleted: RepositoryInfo
    replaced: RepositoryInfo


async def soak(house: House, directory: Path) -> None:
    make_files(directory / "source")
    await house.user()
    client = house.client()
    await house.key(client, "laptop")
    access = {"laptop": Access.FULL}
    gated = [await house.repository(f"gated{n}", access) for n in range(3)]
    local = [await house.repository(f"local{n}", access) for n in range(3)]
    deleted, replaced = [await house.repository(name, access) for name in ("deleted", "replaced")]
    for info in (*local, deleted, replaced):
        info.path.mkdir(parents=True)
    watcher = Watcher(settle_seconds=0.2)
    task = spawn(watcher.run(), name="watcher")
    try:
        await _go_through(task, client, directory, Repositories(gated, local, deleted, replaced))
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _go_through(
    task: asyncio.Task[None],
    client: Client,
    directory: Path,
    repositories_of: Repositories,
) -> None:
    gated, local = repositories_of.gated, repositories_of.local
    deleted, replaced = repositories_of.deleted, repositories_of.replaced
    source = directory / "source"
    for info, version in zip((*local, deleted, replaced), ("1.2", "1.4") * 3, strict=False):
        await borg(info, "init", "-e", "none", version=version)
    await asyncio.sleep(2)
    first = rss()
    end = time.monotonic() + MINUTES * 60
    counts = await asyncio.gather(
        *(through_the_gate(client, info, source, end) for info in gated),
        *(
            past_the_gate(info, directory / "source", version, end)
            for info, version in zip(local, ("1.2", "1.4", "1.2"), strict=True)
        ),
        stir(replaced, end),
        disturb(deleted, replaced, MINUTES * 60),
    )
    print(f"backups through the gate {counts[:3]}, past it {counts[3:6]}, overflows {counts[6]}")
    assert not task.done(), "the watcher has ended"  # noqa: S101 - what is shown here
    for info in local:
        found = await local_events(info)
        print(f"{info.name}: {dict(found)}")
        assert found["opened locally"] == found["closed locally"]  # noqa: S101
    for info in gated:
        found = await local_events(info)
        print(f"{info.name}: {dict(found)}")
        assert not found, "the gate's own was told as local"  # noqa: S101
    names = {info.name for info in await repositories.list_repositories(OPERATOR)}
    assert "deleted" not in names  # noqa: S101
    await borg(replaced, "create", "::after", str(source))
    await until(lambda: _told_since(replaced), seconds=30)
    print(f"memory at most {first} MiB at the start, {rss()} MiB in the end")


async def _told_since(info: RepositoryInfo) -> bool:
    return (await local_events(info))["updated locally"] > 0


async def main() -> None:
    log.configure("error")
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o711)  # noqa: PTH101, S103 - children pass through
        async with open_house(Path(directory)) as house:
            await soak(house, Path(directory))
    print("the watcher survived")


if __name__ == "__main__":
    asyncio.run(main())
