"""A process that is killed in the middle of a rollback, and a disk that fails."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hive.errors import StorageError
from hive.kinds import EventKind, RollbackState
from hive.models import Repository, Rollback
from hive.services.rollback import completion, preview
from hive.services.server import recovery
from tests.e2e.gate.machine import Machine
from tests.factories import tree

KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from hive.config import settings as config
from hive.services import runtime
from hive.services.rollback import preview, undo, work
from hive.services.permissions import OPERATOR

async def main(data, repository, transaction, expected, moves, back):
    await runtime.start(config.load(None, data_dir=Path(data), environment={}, overrides={}))
    count = 0
    real = Path.rename

    def rename(self, target):
        nonlocal count
        if "data" in self.parts or self.name.startswith(("index.", "hints.", "integrity.")):
            if count == moves:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1
        return real(self, target)

    Path.rename = rename
    if moves < 0:
        work.finish = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
    if moves == -2:
        preview.survey = work.finish
    if back:
        newest = await undo.last_rollback(OPERATOR, repository)
        await undo.take_back(OPERATOR, newest)
    else:
        await work.roll_back(OPERATOR, repository, transaction, expected=expected)

try:
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))
finally:
    sys.stderr.flush()
    os._exit(1)
"""


def run_killed(data: Path, *numbers: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, data, *map(str, numbers)], check=False, timeout=60
    )
    assert done.returncode == -signal.SIGKILL


@pytest.mark.long
@pytest.mark.parametrize("moves", [-2, 0, 4, -1])
async def test_a_killed_rollback_is_completed_or_never_was(machine: Machine, moves: int) -> None:
    """-2: while it still checks; -1: after the last file has moved."""
    info = await machine.info()
    good = await machine.house.last_session()
    await machine.delete("one", "two")
    found = await machine.look()
    assert found.current is not None
    step = preview.find(found, f"session:{good.id}")
    before = tree(info.path)
    data = machine.house.directory / "hive"
    run_killed(data, info.id, step.transaction, found.current.transaction, moves, 0)
    # nobody gets in between
    refused = await machine.client.borg("list", info.url, version=machine.version)
    assert "rolled back" in refused.error
    await (recovery.recover_from_crash() if moves == 4 else completion.recover())
    assert (await Repository.get(id=info.id)).maintenance is None
    row = await Rollback.get()
    fresh = await machine.archives_of_fresh()
    if moves == -2:
        assert row.state == RollbackState.GIVEN_UP
        assert fresh == ["three"]
        assert {name for name in before if "lock" not in name} <= set(tree(info.path))
    else:
        assert row.state == RollbackState.DONE
        assert fresh == ["one", "two", "three"]
        assert EventKind.ROLLED_BACK in await machine.kinds()
    await machine.borg("check", "--verify-data", info.url)


@pytest.mark.long
@pytest.mark.parametrize("moves", [2, 7])
async def test_a_killed_way_back_is_completed(machine: Machine, moves: int) -> None:
    info = await machine.info()
    good = await machine.house.last_session()
    await machine.delete("one", "two")
    before = {name: content for name, content in tree(info.path).items() if "lock" not in name}
    await machine.go_back(await machine.step(good.id))
    run_killed(machine.house.directory / "hive", info.id, 0, 0, moves, 1)
    await completion.recover()
    assert (await Rollback.get()).state == RollbackState.TAKEN_BACK
    assert tree(info.path) == before
    assert await machine.archives() == ["three"]


@pytest.mark.long
async def test_what_cannot_be_completed_keeps_sessions_out_and_is_tried_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = await machine.info()
    good = await machine.house.last_session()
    await machine.delete("one", "two")
    step = await machine.step(good.id)
    real = Path.rename
    count = 0

    def rename(self: Path, target: Path) -> Path:
        nonlocal count
        count += self.parent.name == "0"
        if count == 3:
            raise OSError(5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(StorageError, match="Input/output error"):
        await machine.go_back(step)
    monkeypatch.undo()
    refused = await machine.client.borg("list", info.url, version=machine.version)
    assert "not complete" in refused.error
    assert EventKind.ROLLBACK_STOPPED in await machine.kinds()
    await completion.recover()
    assert await machine.archives_of_fresh() == ["one", "two", "three"]
