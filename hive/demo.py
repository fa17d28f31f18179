"""`hive demo`: a server with made-up data in a new directory, removed when it ends."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hive import app
from hive.config import settings as config
from hive.config.settings import Settings
from hive.errors import Conflict
from hive.services import runtime
from hive.services.demo import seeding
from hive.services.demo.seeding import Demo

_FREE = "127.0.0.1:0"


def run(
    *, ssh: str | None, web: str | None, repositories: int, days: int, data_dir: Path | None
) -> int:
    """Serve a demo until SIGTERM; the exit status.

    Neither a configuration file nor the environment has a say: it has nothing to do with any
    real server. Conflict where `data_dir` exists.
    """
    signal.signal(signal.SIGTERM, _end)  # until the server installs its handler
    with _directory(data_dir) as place:
        settings = config.load(
            None,
            data_dir=place,
            overrides={"ssh.listen": ssh or _FREE, "web.listen": web or _FREE},
            environment={},
        )
        made = asyncio.run(_make(settings, repositories, days))
        return app.run(settings, login=f"as {made.name} with the password {made.password}")


def _end(_number: int, _frame: object) -> None:
    sys.exit(128 + signal.SIGTERM)


@contextmanager
def _directory(named: Path | None) -> Iterator[Path]:
    if named is None:
        around = Path(tempfile.mkdtemp(prefix="hive-demo-"))
        if os.geteuid() == 0:
            around.chmod(0o711)  # programs run as another user then
        place = around / "data"
    else:
        around = place = named.absolute()
    try:
        runtime.mark_demo(place)
    except FileExistsError:
        raise Conflict("%(path)s exists: a demo needs a new directory.", path=place) from None
    try:
        yield place
    finally:
        shutil.rmtree(around, ignore_errors=True)


async def _make(settings: Settings, repositories: int, days: int) -> Demo:
    await runtime.start(settings)
    try:
        return await seeding.seed(repositories=repositories, days=days)
    finally:
        await runtime.stop()
