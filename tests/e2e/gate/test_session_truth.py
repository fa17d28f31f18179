"""What sessions were that ended in an unusual way: told as it was, and never as a backup."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import msgpack
import pytest

from hive import clock
from hive.borg.locks import exclusive_holder
from hive.borg.repository import last_transaction
from hive.kinds import ArchiveCreated, EndReason, EventKind, Operation
from hive.models import Session
from hive.services import events
from hive.services.health import review
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from hive.services.sessions import record
from hive.services.sessions.infos import SessionInfo
from tests.e2e.gate.files import noise
from tests.e2e.gate.harness import Client, House, until
from tests.e2e.gate.rpc import rpc
from tests.e2e.gate.test_borg import with_repository
from tests.e2e.gate.test_endings import hold_lock, leave
from tests.e2e.gate.test_import_interrupted import begin
from tests.e2e.gate.transfers import prepare
from tests.programs import borg_command


async def messages(kind: EventKind) -> list[str]:
    return [event.message for event in await events.recent(OPERATOR) if event.kind == kind]


async def ended(house: House) -> SessionInfo:
    await until(house.is_quiet)
    return await house.last_session()


def make_big(directory: Path, files: int = 12) -> Path:
    directory.mkdir()
    for number in range(files):
        (directory / str(number)).write_bytes(noise(15_000_000, seed=number))
    return directory


async def initialised(house: House, encryption: str) -> tuple[Client, str]:
    client, url = await with_repository(house)
    (await client.borg("init", "-e", encryption, url)).must()
    return client, url


async def backing_up(client: Client, url: str, source: Path) -> asyncio.subprocess.Process:
    """A backup that makes a checkpoint each second and takes some ten of them."""
    words = ("create", "--checkpoint-interval", "1", "--upload-ratelimit", "20000")
    return await client.start(borg_command("1.4"), *words, f"{url}::big", ".", cwd=source)


async def kill_client_at_commit(process: asyncio.subprocess.Process, path: Path, nth: int) -> None:
    """Kill borg, and not its ssh, at its nth commit: ssh ends its side in order then."""
    seen: set[int] = {last_transaction(path)}
    async with asyncio.timeout(50):
        while len(seen) <= nth:
            seen.add(last_transaction(path))
            await asyncio.sleep(0)
    process.kill()
    await process.communicate()


@pytest.mark.long
@pytest.mark.parametrize("encryption", ["none", "authenticated"])
async def test_a_checkpoint_is_told_by_its_name_where_that_can_be_read(
    house: House, tmp_path: Path, encryption: str
) -> None:
    client, url = await initialised(house, encryption)
    info = await catalogue.find_repository(OPERATOR, "laptop")
    process = await backing_up(client, url, make_big(tmp_path / "big"))
    await kill_client_at_commit(process, info.path, 1)
    session = await ended(house)
    assert (session.operation, session.archive_created) == (
        Operation.CREATE,
        ArchiveCreated.PARTIAL,
    )
    assert (await catalogue.find_repository(OPERATOR, "laptop")).last_backup_at is None
    (await client.borg("create", f"{url}::whole", ".", cwd=tmp_path / "big")).must()
    assert (await ended(house)).archive_created == ArchiveCreated.YES


@pytest.mark.long
async def test_a_client_that_dies_at_a_checkpoint_has_made_no_backup(
    house: House, tmp_path: Path
) -> None:
    """Encrypted: the checkpoints before tell how long one takes."""
    client, url = await initialised(house, "repokey-blake2")
    info = await catalogue.find_repository(OPERATOR, "laptop")
    process = await backing_up(client, url, make_big(tmp_path / "big"))
    await kill_client_at_commit(process, info.path, 3)
    session = await ended(house)
    assert session.operation == Operation.CREATE
    assert session.archive_created in (ArchiveCreated.UNKNOWN, ArchiveCreated.PARTIAL)
    assert (await catalogue.find_repository(OPERATOR, "laptop")).last_backup_at is None


async def test_a_program_that_the_system_kills_is_told_as_that(
    house: House, tmp_path: Path
) -> None:
    client, url = await initialised(house, "none")
    process = await backing_up(client, url, make_big(tmp_path / "big", files=4))
    info = await catalogue.find_repository(OPERATOR, "laptop")

    async def under_way() -> bool:
        return sum(p.stat().st_size for p in (info.path / "data").rglob("*")) > 8_000_000

    await until(under_way, seconds=40)
    (pid,) = house.gate.processes()
    os.kill(pid, signal.SIGKILL)
    await process.communicate()
    session = await ended(house)
    assert (session.end_reason, session.exit_status) == (EndReason.FAILED, 137)
    assert session.error is not None
    assert "killed by signal 9" in session.error
    (told,) = await messages(EventKind.SESSION_FAILED)
    assert "killed by signal 9" in told


@pytest.mark.long
async def test_a_lock_of_another_session_is_named(house: House, tmp_path: Path) -> None:
    client, url = await initialised(house, "none")
    holder = await hold_lock(client)
    (holding,) = await house.running()
    await client.borg("create", "--lock-wait", "0", f"{url}::one", ".", cwd=tmp_path)

    async def one_runs() -> bool:
        return len(await house.running()) == 1

    await until(one_runs)
    session = await house.last_session()
    assert session.end_reason == EndReason.BORG_ERROR
    assert session.error is not None
    for words in ("lock", f"session {holding.id} (key laptop", "since 20"):
        assert words in session.error
    (told,) = await messages(EventKind.SESSION_FAILED)
    assert f"session {holding.id}" in told
    await client.borg("list", "--lock-wait", "0", url)  # no backup: nothing that failed
    assert len(await messages(EventKind.SESSION_FAILED)) == 1
    await leave(holder)


def _holder(path: Path) -> int:
    holder = exclusive_holder(path)
    assert holder is not None
    return holder.pid


@pytest.mark.long
async def test_a_lock_of_a_borg_past_the_gate_is_named(house: House, tmp_path: Path) -> None:
    client, url = await initialised(house, "none")
    info = await catalogue.find_repository(OPERATOR, "laptop")
    local = await client.start(borg_command("1.4"), "with-lock", info.path, "sleep", "60")

    async def is_locked() -> bool:
        return (info.path / "lock.exclusive").is_dir()

    await until(is_locked)
    await client.borg("create", "--lock-wait", "0", f"{url}::one", ".", cwd=tmp_path)
    session = await ended(house)
    assert session.error is not None
    assert "It was held by a borg on " in session.error
    assert f"(process {_holder(info.path)}) since 20" in session.error
    (told,) = await messages(EventKind.SESSION_FAILED)
    assert "no backup or other change was possible" in told
    os.killpg(local.pid, signal.SIGKILL)
    await local.communicate()


async def is_running(repository_id: int) -> bool:
    return repository_id in await review.running_until([repository_id], clock.now())


async def _only_reads() -> bool:
    return await Session.filter(ended_at=None, only_reads=True).exists()


@pytest.mark.long
@pytest.mark.parametrize("is_check", [False, True], ids=["list or mount", "check"])
async def test_what_only_reads_is_no_running_backup(house: House, is_check: bool) -> None:
    client, _ = await initialised(house, "none")
    info = await catalogue.find_repository(OPERATOR, "laptop")
    async with rpc(client, info.login) as session:
        assert await is_running(info.id)  # it may still become one
        await session.open(exclusive=is_check)
        if is_check:
            assert await is_running(info.id)
            assert await session.call("check", repair=False) is True
        await until(_only_reads)
        assert not await is_running(info.id)


@pytest.mark.long
async def test_what_waits_to_write_may_be_a_running_backup(house: House) -> None:
    client, _ = await initialised(house, "none")
    info = await catalogue.find_repository(OPERATOR, "laptop")
    writer = await hold_lock(client)
    assert await is_running(info.id)
    await leave(writer)
    await until(house.is_quiet)
    assert not await is_running(info.id)


async def _begin_and_die(house: House, client: Client, login: str, hello: bytes) -> None:
    process = await client.start("ssh", *client.ssh_options(), f"{login}@127.0.0.1", "borg serve")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(hello)
    await process.stdin.drain()
    await process.stdout.read(1)
    process.kill()
    await process.communicate()


@pytest.mark.long
async def test_a_client_that_leaves_before_it_opens_did_nothing(house: House) -> None:
    client, _ = await initialised(house, "none")
    info = await catalogue.find_repository(OPERATOR, "laptop")
    hello = msgpack.packb((1, 1, b"negotiate", ({b"client_version": (1, 4, 5)},)))
    for words in (hello, hello[:3], b"", None):
        if words is not None:
            await client.ssh(info.login, "borg", "serve", data=words)
        else:
            await _begin_and_die(house, client, info.login, hello)
        session = await ended(house)
        assert (session.operation, session.archive_created) == (
            Operation.NOTHING,
            ArchiveCreated.NO,
        )
        row = await Session.get(id=session.id)
        assert row.observed is not None
        assert row.observed["note"] is None


async def test_an_import_that_breaks_off_is_of_a_client_that_is_gone(
    house: House, source: Path
) -> None:
    process = await begin(await prepare(house, source))
    process.kill()  # and not its ssh
    await process.communicate()
    session = await ended(house)
    assert (session.operation, session.end_reason) == ("import", EndReason.CLIENT_GONE)


async def test_a_session_that_somebody_ends_was_killed_and_did_not_succeed(house: House) -> None:
    client, _ = await initialised(house, "none")
    holder = await hold_lock(client)
    (running,) = await house.running()
    await record.kill(OPERATOR, running.id)
    await leave(holder)
    session = await ended(house)
    assert (session.end_reason, session.exit_status) == (EndReason.KILLED, None)
    assert session.error == "ended by operator"


async def test_what_a_failed_backup_leaves_is_measured(house: House, tmp_path: Path) -> None:
    client, url = await initialised(house, "none")
    info = await catalogue.find_repository(OPERATOR, "laptop")
    await catalogue.set_repository(OPERATOR, info.id, quota_bytes=10_000_000)
    source = make_big(tmp_path / "big", files=2)
    await client.borg("create", f"{url}::one", ".", cwd=source)
    await until(house.is_quiet)

    async def is_true() -> bool:
        size = (await catalogue.find_repository(OPERATOR, "laptop")).size_bytes or 0
        on_disk = sum(p.stat().st_size for p in info.path.rglob("*") if p.is_file())
        return abs(size - on_disk) < 20_000

    await until(is_true)
