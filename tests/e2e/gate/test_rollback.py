"""Going back to what was there before an attack, with real clients before and after."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hive import clock
from hive.borg import rollback_files
from hive.borg.replay import Amount
from hive.errors import Conflict
from hive.kinds import Access, EventKind, Operation
from hive.models import Repository, Session, TrashEntry
from hive.services.alarms import alarms
from hive.services.keys import grants
from hive.services.lifecycle import trash
from hive.services.permissions import OPERATOR
from hive.services.rollback import preview, undo, work
from hive.services.upkeep import append_only
from tests.e2e.gate.machine import Machine
from tests.e2e.gate.rpc import rpc
from tests.e2e.gate.test_borg import change_access
from tests.factories import tree
from tests.programs import BORG_LINES, borg_command


@pytest.mark.parametrize("version", BORG_LINES)
async def test_what_an_append_only_key_deleted_comes_back_whole(machine: Machine) -> None:
    info = await machine.info()
    good = await machine.house.last_session()
    last_backup = info.last_backup_at
    await change_access(Access.APPEND_ONLY)
    await machine.delete("one", "two", "three")
    assert await machine.archives() == []
    nonce = (info.path / "nonce").read_bytes()
    found = await machine.look()
    deleted = [step.deleted.objects for step in found.steps if step.session is not None]
    assert sum(deleted) > 3
    step = preview.find(found, f"session:{good.id}")
    assert step.can_be_restored
    assert step.back.size_bytes > 900_000
    assert step.dropped == Amount()
    alarms_before = await machine.alarms()
    waiting = [one.kind for one in await alarms.lasting(info.id)]
    assert EventKind.APPEND_ONLY_DELETION in waiting
    done = await machine.go_back(step)
    assert await alarms.lasting(info.id) == []  # what is undone is answered
    assert (info.path / "nonce").read_bytes() == nonce
    # the client that has seen the newer state
    refused = await machine.client.borg("list", info.url, version=machine.version)
    assert "newer than repository" in refused.must(2).error
    await machine.follow(done.commands)
    assert await machine.archives() == ["one", "two", "three"]
    await machine.extracts("one", "two", "three")
    await change_access(Access.FULL)
    await machine.borg("check", info.url)
    await machine.backup("four", seed=4)
    await machine.borg("check", "--verify-data", info.url)
    assert await machine.archives() == ["one", "two", "three", "four"]
    await machine.at_rest()
    assert await machine.alarms() == alarms_before
    assert EventKind.UPDATED_LOCALLY not in await machine.kinds()
    assert await append_only.deletions(info.id) == []
    after = await machine.info()
    assert after.last_backup_at is not None
    assert last_backup is not None
    assert after.last_backup_at > last_backup


@pytest.mark.long
async def test_a_fresh_client_needs_nothing(machine: Machine) -> None:
    good = await machine.house.last_session()
    await machine.delete("one", "two")
    await machine.go_back(await machine.step(good.id))
    fresh = machine.another()
    await machine.house.key(fresh, "fresh")
    await grants.change_access(
        OPERATOR, (await machine.info()).id, grants.ChangeAccess(accesses={"fresh": Access.FULL})
    )
    machine.client = fresh
    assert await machine.archives() == ["one", "two", "three"]
    await machine.backup("four", seed=4)
    await machine.borg("check", "--verify-data", await machine.url())
    await machine.extracts("one", "four")


@pytest.mark.long
@pytest.mark.parametrize("version", BORG_LINES)
async def test_objects_that_a_raw_client_overwrote_come_back(machine: Machine) -> None:
    info = await machine.info()
    good = await machine.house.last_session()
    await change_access(Access.APPEND_ONLY)
    async with rpc(machine.client, info.login) as session:
        await session.open()
        ids = await session.call("list", limit=1000, marker=None)
        for identifier in ids:
            await session.call("put", id=identifier, data=b"overwritten", wait=True)
        await session.call("commit", save_space=False, compact=True, threshold=0.1)
    fresh = await machine.client.borg("list", info.url, version=machine.version)
    assert fresh.status != 0
    found = await machine.look()
    attack = next(step for step in found.steps if step.overwritten.objects)
    assert attack.overwritten.objects == len(ids) - 1  # the manifest does not count
    await machine.go_back(preview.find(found, f"session:{good.id}"))
    # nobody has seen a newer state that could be read: no client refuses
    assert await machine.archives() == ["one", "two", "three"]
    await machine.extracts("one", "two", "three")
    await change_access(Access.FULL)
    await machine.borg("check", "--verify-data", info.url)


@pytest.mark.long
@pytest.mark.parametrize("version", BORG_LINES)
async def test_what_a_full_key_pruned_comes_back_until_it_is_compacted(machine: Machine) -> None:
    info = await machine.info()
    good = await machine.house.last_session()
    await machine.borg("prune", "--keep-last", "1", info.url)
    step = await machine.step(good.id)
    assert step.can_be_restored
    await machine.borg("compact", info.url)
    found = await machine.look()
    step = preview.find(found, f"session:{good.id}")
    before = tree(info.path)
    assert not step.can_be_restored
    with pytest.raises(Conflict, match="compacted away"):
        preview.require_possible(step, "laptop")
    with pytest.raises(Conflict, match="compacted away"):
        await machine.go_back(step)
    assert tree(info.path) == before
    assert await machine.archives() == ["three"]
    assert not await TrashEntry.exists()
    assert (await Repository.get(id=info.id)).maintenance is None


@pytest.mark.long
@pytest.mark.parametrize("version", BORG_LINES)
async def test_a_session_in_the_middle_can_be_gone_back_to(machine: Machine) -> None:
    info = await machine.info()
    await machine.delete("one")
    middle = await machine.house.last_session()
    await machine.backup("four", seed=4)
    await machine.delete("two", "three")
    step = await machine.step(middle.id)
    assert step.dropped.size_bytes > 300_000
    done = await machine.go_back(step)
    await machine.follow(done.commands)
    assert await machine.archives() == ["two", "three"]
    await machine.borg("check", "--verify-data", info.url)
    after = await machine.info()
    assert after.last_backup_at is not None  # that of "three": "four" is undone
    found = await machine.look()
    sessions = [step.session.session_id for step in found.steps if step.session is not None]
    assert max(sessions) == middle.id


@pytest.mark.long
async def test_a_damaged_byte_in_what_is_needed_stops_it_before_anything_changes(
    machine: Machine,
) -> None:
    info = await machine.info()
    good = await machine.house.last_session()
    await machine.delete("one")
    step = await machine.step(good.id)
    victim = max((info.path / "data" / "0").iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(victim.read_bytes())
    content[5000] ^= 1
    victim.write_bytes(content)
    before = tree(info.path)
    with pytest.raises(Conflict, match="checksum is wrong"):
        await machine.go_back(step)
    assert tree(info.path) == before
    assert (await Repository.get(id=info.id)).maintenance is None


@pytest.mark.long
async def test_a_running_session_is_not_disturbed(machine: Machine) -> None:
    info = await machine.info()
    good = await machine.house.last_session()
    await machine.delete("one")
    step = await machine.step(good.id)
    found = await machine.look()
    assert found.current is not None
    async with rpc(machine.client, info.login) as session:
        await session.open()
        before = tree(info.path)
        with pytest.raises(Conflict, match="session is still running"):
            await work.roll_back(
                OPERATOR, info.id, step.transaction, expected=found.current.transaction
            )
        assert tree(info.path) == before


@pytest.mark.long
async def test_a_borg_past_the_gate_that_holds_the_lock_is_respected(machine: Machine) -> None:
    info = await machine.info()
    good = await machine.house.last_session()
    await machine.delete("one")
    step = await machine.step(good.id)
    lock = info.path / "lock.exclusive"
    lock.mkdir()
    (lock / f"elsewhere@1.{os.getpid()}-0").touch()
    before = tree(info.path)
    with pytest.raises(Conflict, match="holds the repository's lock"):
        await machine.go_back(step)
    assert tree(info.path) == before


@pytest.mark.long
async def test_a_borg_past_the_gate_waits_for_a_rollback(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = await machine.info()
    good = await machine.house.last_session()
    await machine.delete("one")
    seen: list[str] = []
    real = rollback_files.move_out

    def move_out(repository: Path, transaction: int, target: Path) -> int:
        done = subprocess.run(
            [borg_command(machine.version), "list", repository],
            env={**machine.client.environment(), "BORG_BASE_DIR": str(machine.directory / "b")},
            capture_output=True,
            text=True,
            check=False,
        )
        seen.append(done.stderr)
        return real(repository, transaction, target)

    monkeypatch.setattr(rollback_files, "move_out", move_out)
    await machine.go_back(await machine.step(good.id))
    assert "Failed to create/acquire the lock" in seen[0]
    assert not list(info.path.glob("lock*"))


@pytest.mark.long
async def test_what_came_since_somebody_looked_is_not_undone_unseen(machine: Machine) -> None:
    info = await machine.info()
    good = await machine.house.last_session()
    await machine.delete("one")
    found = await machine.look()
    assert found.current is not None
    await machine.backup("four", seed=4)
    await machine.at_rest()
    before = tree(info.path)
    step = preview.find(found, f"session:{good.id}")
    with pytest.raises(Conflict, match="has changed since"):
        await work.roll_back(
            OPERATOR, info.id, step.transaction, expected=found.current.transaction
        )
    assert tree(info.path) == before


@pytest.mark.long
async def test_a_rollback_can_be_taken_back_until_something_is_written(machine: Machine) -> None:
    info = await machine.info()
    good = await machine.house.last_session()
    await machine.delete("one", "two")
    before = {name: content for name, content in tree(info.path).items() if "lock" not in name}
    await machine.go_back(await machine.step(good.id))
    newest = await undo.last_rollback(OPERATOR, info.id)
    assert await undo.take_back(OPERATOR, newest) == "laptop"
    assert tree(info.path) == before
    assert await machine.archives() == ["three"]
    assert not await TrashEntry.exists()
    assert await machine.alarms() == [EventKind.MASS_DELETION] * len(await machine.alarms())
    await machine.go_back(await machine.step(good.id))
    await machine.follow(preview.client_commands(await machine.look()))
    await machine.backup("four", seed=4)
    await machine.at_rest()
    newest = await undo.last_rollback(OPERATOR, info.id)
    with pytest.raises(Conflict, match="written to since"):
        await undo.take_back(OPERATOR, newest)
    await machine.borg("check", "--verify-data", info.url)


@pytest.mark.long
async def test_the_trash_lets_it_go_in_its_time(machine: Machine) -> None:
    info = await machine.info()
    good = await machine.house.last_session()
    await machine.delete("one")
    done = await machine.go_back(await machine.step(good.id))
    assert any(done.trash.glob("data/0/*"))
    assert any(done.trash.glob("index.*"))
    now = clock.now()
    clock.use(lambda: now + trash.kept_for() * 1.1)
    assert await trash.empty_expired() == 1
    assert not done.trash.exists()
    assert await machine.archives_of_fresh() == ["one", "two", "three"]
    assert info.path.exists()


@pytest.mark.long
async def test_sessions_tell_their_transactions(machine: Machine) -> None:
    await machine.delete("one")
    found = await machine.look()
    operations = [one.session.operation for one in found.steps if one.session is not None]
    assert operations == [
        Operation.DELETE,
        *[Operation.CREATE] * 3,
        Operation.INIT,
    ]
    assert all(one.ends_session for one in found.steps)


@pytest.mark.long
async def test_sessions_from_before_transactions_were_kept_are_found_by_their_time(
    machine: Machine,
) -> None:
    await machine.delete("one")
    await machine.at_rest()
    known = {step.transaction: step.session for step in (await machine.look()).steps}
    await Session.all().update(transaction_before=None, transaction_after=None, objects_after=None)
    for step in (await machine.look()).steps:
        session = known[step.transaction]
        assert session is not None
        assert step.session is not None
        assert (step.session.session_id, step.ends_session) == (session.session_id, True)
