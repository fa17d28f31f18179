"""More repositories than the kernel lets us watch: what is told of those that are not watched.

The limit is set in a user namespace of its own: nobody else on this machine is touched by it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import time
from pathlib import Path

from hive import log
from hive.background import spawn
from hive.kinds import EventKind
from hive.models import Event
from hive.services import runtime
from hive.services.measurements.local_changes import LocalChangeWatch
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from tests import factories
from tests.e2e.gate.harness import until
from tests.services.measurements.watching import borg

LIMIT = 5
REPOSITORIES = 12
RESCAN_SECONDS = 3.0
_LIMIT_FILE = Path("/proc/sys/user/max_inotify_watches")


async def run() -> None:
    """Run it in a namespace; where this machine allows none, say so."""
    program = (sys.executable, "-m", "bench.watcher_limit", "inside")
    process = await asyncio.create_subprocess_exec("unshare", "--user", "--map-root-user", *program)
    if await process.wait():
        raise SystemExit("the watch limit: failed, or no user namespace could be made (unshare)")


async def _updates(info: RepositoryInfo) -> int:
    return await Event.filter(repository_id=info.id, kind=EventKind.UPDATED_LOCALLY).count()


async def _make() -> list[RepositoryInfo]:
    owner = await factories.make_user("alice")
    made = []
    for number in range(REPOSITORIES):
        row = await factories.make_repository(owner, f"repository{number}")
        info = await catalogue.find_repository(OPERATOR, row.login)
        info.path.mkdir(parents=True)
        await borg(info, "init", "-e", "none")
        made.append(info)
    return made


async def _change(info: RepositoryInfo, name: str) -> float:
    """Make a change; the seconds until it was told."""
    updates = await _updates(info)
    await borg(info, "create", f"::{name}", __file__)
    begun = time.monotonic()

    async def is_told() -> bool:
        return await _updates(info) == updates + 1

    await until(is_told, seconds=30)
    return time.monotonic() - begun


async def _go_through(made: list[RepositoryInfo]) -> None:
    watcher = LocalChangeWatch(settle_seconds=0.1, rescan_seconds=RESCAN_SECONDS)
    task = spawn(watcher.run(), name="watcher")

    async def watch_as_many(count: int) -> None:
        async def are_watched() -> bool:
            return len(watcher.watched) == count

        await until(are_watched)

    await watch_as_many(LIMIT)
    await asyncio.sleep(RESCAN_SECONDS * 1.5)  # each is known by now
    unwatched = [info for info in made if info.id not in watcher.watched]
    seconds = [await _change(info, "limited") for info in unwatched[:3]]
    shown = ", ".join(f"{one:.1f} s" for one in seconds)
    print(f"watch limit of {LIMIT} for {REPOSITORIES}: changes of 3 unwatched told within {shown}")
    _LIMIT_FILE.write_text("1000")  # noqa: ASYNC240
    await watch_as_many(REPOSITORIES)
    print(f"the limit is gone: {REPOSITORIES} are watched, a change is told within", end=" ")
    print(f"{await _change(unwatched[-1], 'free'):.1f} s")
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _inside() -> None:
    log.configure("error", "text")
    _LIMIT_FILE.write_text(str(LIMIT))  # noqa: ASYNC240
    with tempfile.TemporaryDirectory() as directory:
        await runtime.start(factories.make_settings(Path(directory) / "hive"))
        await _go_through(await _make())
        await runtime.stop()


if __name__ == "__main__":
    asyncio.run(_inside() if sys.argv[1:] == ["inside"] else run())
