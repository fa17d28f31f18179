from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hive import clock
from hive.config.settings import Settings
from hive.kinds import EventKind
from hive.services import events, triggers
from hive.services.permissions import OPERATOR
from hive.services.repositories.infos import RepositoryInfo
from tests import factories
from tests.factories import People
from tests.services.triggers.awx import FakeAwx, serve_awx

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOON
        clock.use(lambda: self.now)

    def pass_by(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def time() -> Iterator[Time]:
    yield Time()
    clock.use(None)


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    """Where commands leave what they did."""
    path = tmp_path / "marks"
    path.mkdir(mode=0o777)
    path.chmod(0o777)
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(parent.stat().st_mode | 0o011)
    return path


@pytest.fixture
def settings(tmp_path: Path, migrated_database: Path, marks: Path) -> Settings:
    """Commands of real programs, and leave to reach the servers of these tests."""
    shell = ["/bin/sh", "-c"]
    made = factories.make_settings(
        tmp_path / "data",
        **{
            "notifications.allowed_networks": ["127.0.0.0/8"],
            "triggers.command_seconds": 1,
            "triggers.command_user": "root" if Path("/proc/self").stat().st_uid == 0 else None,
            "triggers.commands": {
                "env": [*shell, f"env | sort > {marks}/env; echo woken"],
                "fail": [*shell, "echo no such host; exit 3"],
                "loud": [*shell, "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo the end"],
                "hang": [*shell, f"trap '' TERM; sleep 300 & echo $! > {marks}/pid; wait"],
                "leave": [*shell, f"sleep 300 & echo $! > {marks}/pid"],
                "gone": ["/nonexistent/program"],
            },
        },
    )
    made.paths.data_dir.mkdir(mode=0o700)
    shutil.copy(migrated_database, made.paths.database)
    return made


@pytest.fixture
async def documents(people: People) -> AsyncIterator[RepositoryInfo]:
    """Alice's repository, which bob's group manages."""
    yield await factories.make_repository(people.alice, share_with="team")
    await triggers.stop()


@pytest.fixture
async def awx() -> AsyncIterator[FakeAwx]:
    async with serve_awx() as serving:
        yield serving


async def tick() -> int:
    """What the scheduler does, and waits until all that it began has answered."""
    begun = await triggers.run_due()
    await triggers.settled()
    return begun


async def told(kind: EventKind) -> list[str]:
    """The messages of the events of this kind, the oldest first."""
    return [event.message for event in (await events.recent(OPERATOR))[::-1] if event.kind == kind]
