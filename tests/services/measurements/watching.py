"""What tests of changes past the gate share: a watcher, and a borg that an administrator runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hive.background import spawn
from hive.kinds import EventKind
from hive.models import Repository
from hive.services import events
from hive.services.measurements.local_changes import LocalChangeWatch
from hive.services.permissions import OPERATOR
from hive.services.repositories.infos import RepositoryInfo
from tests.e2e.gate.harness import until
from tests.programs import borg_command


@asynccontextmanager
async def watching(*watched: RepositoryInfo, **options: Any) -> AsyncIterator[LocalChangeWatch]:
    """A watcher that runs and watches these directories already."""
    made = LocalChangeWatch(**{"settle_seconds": 0.05, "arrival_seconds": 0.0, **options})
    task = spawn(made.run(), name="watcher")

    async def watches() -> bool:
        return {info.id for info in watched} <= made.watched

    try:
        await until(watches)
        yield made
        assert not task.done()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def known(*infos: RepositoryInfo) -> None:
    """Wait until the watcher has seen what is there: what changes from then on is told."""

    async def are_known() -> bool:
        ids = [info.id for info in infos]
        return not await Repository.filter(id__in=ids, known_state=None).exists()

    await until(are_known)


async def kinds(info: RepositoryInfo) -> list[EventKind]:
    return [row.kind for row in await events.recent(OPERATOR, repository_id=info.id)]


async def borg(info: RepositoryInfo, *arguments: str, version: str = "1.4") -> None:
    process = await asyncio.create_subprocess_exec(
        borg_command(version),
        *arguments,
        env=environment(info),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    _, err = await process.communicate()
    assert process.returncode == 0, err


def environment(info: RepositoryInfo) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(info.path.parent),
        "BORG_BASE_DIR": str(info.path.parent / "client"),
        "BORG_SELFTEST": "disabled",
        "BORG_REPO": str(info.path),
        "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
    }


async def happened(info: RepositoryInfo, kind: EventKind) -> None:
    async def told() -> bool:
        return kind in await kinds(info)

    await until(told)
