"""A repository moves to another location while its machine backs up: real borg, real disks."""

from __future__ import annotations

import asyncio
import errno
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hive import tree_copy
from hive.background import spawn
from hive.errors import Conflict, Forbidden, NotFound
from hive.kinds import Access, EventKind, MoveState, ShareLevel, Source, TrashReason
from hive.models import Event, Move, Repository, TrashEntry
from hive.services import runtime
from hive.services.accounts import groups, users
from hive.services.lifecycle import move_steps, moves, trash
from hive.services.lifecycle.mover import Mover
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from hive.services.rollback import undo
from hive.services.server import recovery
from hive.services.storage import locations
from hive.services.storage.locations import AddLocation
from hive.tree_copy import TreeCopy
from tests.e2e.gate.harness import House, open_house, until
from tests.e2e.gate.machine import Machine, make_machine
from tests.factories import tree
from tests.programs import borg_command


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as made:
        yield made


@pytest.fixture
async def machine(house: House, tmp_path: Path) -> Machine:
    made = await make_machine(house, tmp_path, "1.4")
    second = tmp_path / "second"
    second.mkdir(mode=0o700)
    wanted = AddLocation(name="second", host="127.0.0.1", port=house.port, root=second)
    await locations.add_location(OPERATOR, wanted)
    return made


async def ask(machine: Machine, location: str = "second") -> int:
    info = await machine.info()
    return (await moves.ask(OPERATOR, info.id, location)).id


def homes(machine: Machine, login: str) -> tuple[Path, Path]:
    """The directory of the login, at the former place and at the new one."""
    return runtime.paths().repositories / login, machine.house.directory / "second" / login


async def settled(mover: Mover, move_id: int) -> moves.MoveInfo:
    for _ in range(5):
        await mover.work()
        found = await moves.get(move_id)
        if not found.is_open:
            return found
    raise AssertionError(found)


async def require_moved(machine: Machine, *archives: str) -> None:
    """It lies at the new place alone, with these archives, and takes another backup."""
    info = await machine.info()
    former, new = homes(machine, info.login)
    assert info.location == "second"
    assert not former.exists()
    assert [path.name for path in new.iterdir()] == ["laptop"]
    assert info.path == new / "laptop"
    assert (await Repository.get(id=info.id)).maintenance is None
    assert await machine.archives() == list(archives)
    await machine.backup("after", seed=9)
    await machine.extracts("one", "after")
    await machine.borg("check", "--verify-data", info.url)


async def begin_backup(machine: Machine, url: str) -> asyncio.subprocess.Process:
    """One that reads its standard input, and does not end before that."""
    running = await machine.client.start(borg_command("1.4"), "create", f"{url}::during", "-")
    assert running.stdin is not None
    running.stdin.write(b"the first half")
    await running.stdin.drain()
    return running


async def test_a_machine_backs_up_before_during_and_after_it(
    machine: Machine, house: House
) -> None:
    info = await machine.info()
    before = tree(info.path)
    move_id = await ask(machine)
    mover = Mover()
    # A backup runs: everything is copied, and it waits for the end of the session.
    running = await begin_backup(machine, info.url)
    await until(house.has_running)
    await mover.work()
    found = await moves.get(move_id)
    assert (found.state, "no session runs" in found.message) == (MoveState.COPYING, True)
    _, new = homes(machine, info.login)
    copied = tree(new / ".moving")
    assert {name for name in before if name.startswith("data/0/")} <= set(copied)
    assert (await machine.info()).location == "default"
    out, err = await running.communicate(b"the second half")
    assert running.returncode == 0, (out, err)
    await until(house.is_quiet)
    ended = await settled(mover, move_id)
    assert (ended.state, ended.message) == (MoveState.DONE, "")
    assert (await machine.info()).url == info.url
    await require_moved(machine, "one", "two", "three", "during")
    kinds = {row.kind for row in await Event.filter(repository_id=info.id)}
    assert EventKind.MOVED in kinds
    assert EventKind.UPDATED_LOCALLY not in kinds
    (entry,) = await TrashEntry.filter(reason=TrashReason.MOVED)
    assert (Path(entry.path) / "laptop/config").is_file()
    assert await trash.list_trash(OPERATOR) == []


async def test_clients_are_refused_in_words_while_the_last_difference_is_copied(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = await machine.info()
    move_id = await ask(machine)
    at_it, go_on = threading.Event(), threading.Event()
    real = TreeCopy.require_same

    def slow(copy: TreeCopy) -> tree_copy.Pass:
        at_it.set()
        assert go_on.wait(60)
        return real(copy)

    monkeypatch.setattr(TreeCopy, "require_same", slow)
    moving = spawn(settled(Mover(), move_id), name="move")
    try:
        assert await asyncio.to_thread(at_it.wait, 60)
        refused = await machine.client.borg("list", info.url)
        assert refused.status == 2
        assert "is busy: it is being moved to another location" in refused.error
    finally:
        go_on.set()
    assert (await moving).state == MoveState.DONE
    await require_moved(machine, "one", "two", "three")


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from hive import tree_copy
from hive.config import settings as config
from hive.services import runtime
from hive.services.lifecycle import move_steps
from hive.services.lifecycle.mover import Mover
from hive.services.storage import paths

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

async def main(data, stage):
    await runtime.start(config.load(None, data_dir=Path(data), environment={}, overrides={}))
    if stage.isdigit():
        count, real = int(stage), Path.replace
        def replace(self, target):
            nonlocal count
            if self.name.startswith(".moving-"):
                if not count:
                    die()
                count -= 1
            return real(self, target)
        Path.replace = replace
    elif stage == "compared":
        move_steps.put_in_place = die
    elif stage == "in place":
        move_steps.switch = die
    elif stage == "switched":
        move_steps.clear = die
    elif stage == "noted":
        paths.move_to_trash = die
    await Mover().work()

try:
    asyncio.run(main(*sys.argv[1:]))
finally:
    os._exit(1)
"""


def run_killed(machine: Machine, stage: str) -> None:
    """Move in another process, which kills itself at this stage."""
    data = str(machine.house.directory / "hive")
    command = [sys.executable, "-c", KILLED, data, stage]
    assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    "stage",
    [
        "4",
        "in place",
        "switched",
        *(pytest.param(one, marks=pytest.mark.long) for one in ("0", "compared", "noted")),
    ],
)
async def test_a_killed_server_leaves_one_repository_and_goes_on(
    machine: Machine, stage: str
) -> None:
    info = await machine.info()
    move_id = await ask(machine)
    run_killed(machine, stage)
    await recovery.recover_from_crash()
    is_switched = stage in ("switched", "noted")
    assert (await machine.info()).location == ("second" if is_switched else "default")
    # Whatever counts now takes a backup, before the move goes on.
    await machine.backup("between", seed=7)
    assert (await settled(Mover(), move_id)).state == MoveState.DONE
    await require_moved(machine, "one", "two", "three", "between")
    assert await TrashEntry.filter(reason=TrashReason.MOVED).count() == 1
    assert not list((machine.house.directory / "second" / info.login).glob(".moving*"))


@pytest.mark.parametrize("stage", ["4", "in place"])
async def test_a_killed_move_can_be_undone(machine: Machine, stage: str) -> None:
    info = await machine.info()
    move_id = await ask(machine)
    run_killed(machine, stage)
    await recovery.recover_from_crash()
    await moves.cancel(OPERATOR, info.id)
    assert (await settled(Mover(), move_id)).state == MoveState.CANCELLED
    former, new = homes(machine, info.login)
    assert (former.exists(), new.exists()) == (True, False)
    assert (await machine.info()).location == "default"
    assert await machine.archives() == ["one", "two", "three"]
    # And begun again.
    assert (await settled(Mover(), await ask(machine))).state == MoveState.DONE
    await require_moved(machine, "one", "two", "three")


async def test_there_and_back_again(machine: Machine) -> None:
    assert (await settled(Mover(), await ask(machine))).state == MoveState.DONE
    await machine.backup("there", seed=5)
    assert (await settled(Mover(), await ask(machine, "default"))).state == MoveState.DONE
    assert (await machine.info()).location == "default"
    assert await machine.archives() == ["one", "two", "three", "there"]
    await machine.extracts("three", "there")
    assert await TrashEntry.filter(reason=TrashReason.MOVED).count() == 2


async def test_a_disk_that_fails_leaves_everything_as_it_was(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = await machine.info()
    move_id = await ask(machine)

    def full(*_: object) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(TreeCopy, "_write", full)
    ended = await settled(Mover(), move_id)
    assert (ended.state, "No space left" in ended.message) == (MoveState.FAILED, True)
    former, new = homes(machine, info.login)
    assert (former.exists(), new.exists()) == (True, False)
    assert await machine.archives() == ["one", "two", "three"]
    assert await Event.filter(kind=EventKind.MOVE_FAILED).count() == 1


async def test_an_error_after_the_switch_never_removes_what_counts(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_id = await ask(machine)

    async def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(move_steps, "clear", fail)
    await Mover().work()
    assert (await moves.get(move_id)).state == MoveState.CLEARING
    assert (await machine.info()).location == "second"
    assert await machine.archives() == ["one", "two", "three"]
    monkeypatch.undo()
    assert (await settled(Mover(), move_id)).state == MoveState.DONE
    await require_moved(machine, "one", "two", "three")


async def test_a_repository_that_is_deleted_on_its_way_is_not_moved(machine: Machine) -> None:
    info = await machine.info()
    move_id = await ask(machine)
    await trash.delete_repository(OPERATOR, info.id)
    assert (await settled(Mover(), move_id)).state == MoveState.CANCELLED
    assert not homes(machine, info.login)[1].exists()
    await trash.restore_repository(OPERATOR, info.id)
    assert await machine.archives() == ["one", "two", "three"]


async def test_another_address_is_said_before_and_same_storage_is_not_copied(
    machine: Machine, house: House
) -> None:
    info = await machine.info()
    other = AddLocation(name="alias", host="backup.example.org", port=2200)
    await locations.add_location(OPERATOR, other)
    found = await moves.preview(OPERATOR, info.id, "alias")
    assert (found.is_copied, found.has_other_address, found.problem) == (False, True, None)
    assert found.url == f"ssh://{info.login}@backup.example.org:2200/./laptop"
    assert (await settled(Mover(), await ask(machine, "alias"))).state == MoveState.DONE
    moved = await machine.info()
    assert (moved.url, moved.path) == (found.url, info.path)
    # Clients that still use the former address get in.
    archives = (await machine.borg("list", "--short", info.url)).split()
    assert archives == ["one", "two", "three"]


async def test_what_cannot_be_moved_is_refused_at_once(machine: Machine, house: House) -> None:
    info = await machine.info()
    for location, error in (("default", Conflict), ("nowhere", NotFound)):
        with pytest.raises(error):
            await moves.ask(OPERATOR, info.id, location)
    _, new = homes(machine, info.login)
    (new / "laptop").mkdir(parents=True)
    (new / "laptop/config").write_text("somebody else's")
    with pytest.raises(Conflict, match="There is something at"):
        await moves.ask(OPERATOR, info.id, "second")
    (new / "laptop/config").unlink()
    await Repository.filter(id=info.id).update(occupied_bytes=10**18)
    with pytest.raises(Conflict, match="not enough room"):
        await moves.ask(OPERATOR, info.id, "second")
    await Repository.filter(id=info.id).update(occupied_bytes=None)
    await ask(machine)
    with pytest.raises(Conflict, match="on its way"):
        await ask(machine)
    second = await locations.find_location(OPERATOR, "second")
    with pytest.raises(Conflict, match="being moved to second"):
        await locations.delete_location(OPERATOR, second.id)


async def test_only_owners_and_administrators_move_it(machine: Machine) -> None:
    info = await machine.info()
    bob = await users.add_user(OPERATOR, users.AddUser(name="bob"))
    actor = bob.actor(Source.WEB, None)
    with pytest.raises(NotFound):
        await moves.preview(actor, info.id, "second")
    await groups.add_group(OPERATOR, groups.AddGroup(name="team", members=["bob"]))
    await catalogue.set_repository(OPERATOR, info.id, share_levels={"team": ShareLevel.MANAGE})
    for act in (moves.preview, moves.ask):
        with pytest.raises(Forbidden):
            await act(actor, info.id, "second")
    with pytest.raises(Forbidden):
        await moves.cancel(actor, info.id)
    assert await Move.all().count() == 0
    alice = await users.find_user(OPERATOR, "alice")
    assert (await moves.ask(alice.actor(Source.WEB, None), info.id, "second")).is_open


async def test_an_empty_repository_moves_too(house: House, machine: Machine) -> None:
    made = await house.repository("empty", {"laptop": Access.FULL})
    move_id = (await moves.ask(OPERATOR, made.id, "second")).id
    assert (await settled(Mover(), move_id)).state == MoveState.DONE
    info = await catalogue.info_by_id(made.id)
    assert info.location == "second"
    await machine.borg("init", "-e", "none", info.url)
    assert (info.path / "config").is_file()


async def test_a_rollback_from_before_it_is_not_taken_back_and_locks_nobody_out(
    machine: Machine,
) -> None:
    good = await machine.house.last_session()
    await machine.delete("one", "two")
    await machine.go_back(await machine.step(good.id))
    (undone,) = await undo.in_trash(OPERATOR)
    assert (await settled(Mover(), await ask(machine))).state == MoveState.DONE
    assert await undo.in_trash(OPERATOR) == []
    with pytest.raises(Conflict, match="moved to another location since"):
        await undo.take_back(OPERATOR, undone.id)
    await machine.archives_of_fresh()
    await require_moved(machine, "one", "two", "three")
