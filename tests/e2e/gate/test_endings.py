"""How sessions end: by the client, by a person, by the rules, by the server."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import msgpack
import pytest

from hive.errors import DatabaseError, HiveError
from hive.kinds import Access, EndReason, Mode, Role
from hive.services.accounts import users
from hive.services.keys import grants, keys, revocation
from hive.services.lifecycle import imports, trash
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from hive.services.sessions import infos as session_infos
from hive.services.sessions import record
from hive.services.sessions.filters import SessionState
from tests.e2e.gate.files import noise
from tests.e2e.gate.harness import Client, House, open_house, until
from tests.e2e.gate.test_borg import with_backup
from tests.programs import borg_command

Change = Callable[[int], Awaitable[object]]


async def hold_lock(client: Client) -> asyncio.subprocess.Process:
    """An ssh that speaks borg's protocol and holds the repository's exclusive lock."""
    info = await catalogue.find_repository(OPERATOR, "laptop")
    process = await client.start(
        "ssh", *client.ssh_options(), f"{info.login}@127.0.0.1", "borg", "serve"
    )
    assert process.stdin is not None
    hello = (1, 1, b"negotiate", ({b"client_version": (1, 4, 5)},))
    opening = {b"i": 2, b"m": b"open", b"a": {b"path": b"/./laptop", b"exclusive": True}}
    for message in (hello, opening):
        process.stdin.write(msgpack.packb(message, use_bin_type=False))
    await process.stdin.drain()

    async def locked() -> bool:
        return (info.path / "lock.exclusive").is_dir()

    await until(locked)
    return process


async def leave(process: asyncio.subprocess.Process) -> str:
    """Have a client leave in peace, or see it left; what it said on standard error."""
    async with asyncio.timeout(20):
        _, err = await process.communicate(b"")
    return err.decode()


async def kill(process: asyncio.subprocess.Process) -> None:
    """Kill a client with all it started."""
    os.killpg(process.pid, signal.SIGKILL)
    await process.communicate()


def is_locked(path: Path) -> bool:
    return (path / "lock.exclusive").exists() or (path / "lock.roster").exists()


@pytest.mark.long
async def test_after_a_client_was_killed_the_next_backup_works_without_help(
    house: House, tmp_path: Path
) -> None:
    client, url = await with_backup(house, tmp_path)
    source = tmp_path / "big"
    source.mkdir()
    for number in range(10):
        (source / str(number)).write_bytes(noise(20_000_000, seed=number))
    process = await client.start(borg_command("1.4"), "create", f"{url}::big", ".", cwd=source)
    info = await catalogue.find_repository(OPERATOR, "laptop")
    size = sum(p.stat().st_size for p in (info.path / "data").rglob("*") if p.is_file())

    async def under_way() -> bool:
        now = sum(p.stat().st_size for p in (info.path / "data").rglob("*") if p.is_file())
        return now > size + 10_000_000

    await until(under_way)
    await kill(process)
    await until(house.is_quiet)
    assert not is_locked(info.path)
    (await client.borg("create", f"{url}::next", ".", cwd=tmp_path / "source")).must()
    (await client.borg("check", url)).must()


@pytest.mark.long
async def test_a_second_client_waits_for_the_lock(house: House, tmp_path: Path) -> None:
    client, url = await with_backup(house, tmp_path)
    holder = await hold_lock(client)
    waiting = asyncio.ensure_future(
        client.borg("create", "--lock-wait", "30", f"{url}::two", ".", cwd=tmp_path / "source")
    )

    async def two_run() -> bool:
        return len(await house.running()) == 2

    await until(two_run)
    impatient = await client.borg("create", "--lock-wait", "0", f"{url}::three", ".")
    assert impatient.status == 2
    assert "lock" in impatient.error.lower()
    assert not waiting.done()
    await leave(holder)
    (await waiting).must()


async def revoke_grant(repository_id: int) -> None:
    await grants.change_access(OPERATOR, repository_id, grants.ChangeAccess(remove_keys=["laptop"]))


async def lower_access(repository_id: int) -> None:
    await grants.change_access(
        OPERATOR, repository_id, grants.ChangeAccess(accesses={"laptop": Access.READ_ONLY})
    )


async def disable_key(_repository_id: int) -> None:
    key = await keys.find_key(OPERATOR, "laptop")
    await keys.change_key(OPERATOR, key.id, keys.ChangeKey(enabled=False))


async def disable_key_everywhere(_repository_id: int) -> None:
    key = await keys.find_key(OPERATOR, "laptop")
    await revocation.disable_everywhere(OPERATOR, key.fingerprint)


async def delete_key(_repository_id: int) -> None:
    key = await keys.find_key(OPERATOR, "laptop")
    await keys.delete_key(OPERATOR, key.id)


async def restrict_network(_repository_id: int) -> None:
    key = await keys.find_key(OPERATOR, "laptop")
    await keys.change_key(OPERATOR, key.id, keys.ChangeKey(networks=["192.0.2.0/24"]))


async def disable_owner(_repository_id: int) -> None:
    user = await users.find_user(OPERATOR, "alice")
    await users.add_user(OPERATOR, users.AddUser(name="root", role=Role.ADMINISTRATOR))
    await users.set_user(OPERATOR, user.id, users.ChangeUser(enabled=False))


async def switch_mode(repository_id: int) -> None:
    await imports.switch_mode(OPERATOR, repository_id, Mode.EXPORT)


async def delete_repository(repository_id: int) -> None:
    await trash.delete_repository(OPERATOR, repository_id)


async def kill_session(repository_id: int) -> None:
    running = await session_infos.list_sessions(
        OPERATOR, repository_id=repository_id, state=SessionState.LIVE
    )
    await record.kill(OPERATOR, running[0].id)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (revoke_grant, EndReason.REVOKED),
        (lower_access, EndReason.REVOKED),
        (disable_key, EndReason.REVOKED),
        (disable_key_everywhere, EndReason.REVOKED),
        (delete_key, EndReason.REVOKED),
        (restrict_network, EndReason.REVOKED),
        (disable_owner, EndReason.REVOKED),
        (switch_mode, EndReason.REVOKED),
        (delete_repository, EndReason.REVOKED),
        (kill_session, EndReason.KILLED),
    ],
)
@pytest.mark.varied(3)
async def test_a_session_that_is_no_longer_allowed_ends_at_once(
    house: House, tmp_path: Path, change: Change, reason: EndReason
) -> None:
    client, _ = await with_backup(house, tmp_path)
    info = await catalogue.find_repository(OPERATOR, "laptop")
    process = await hold_lock(client)
    await change(info.id)
    await until(house.is_quiet, seconds=10)
    session = await house.last_session()
    assert session.end_reason == reason
    assert not is_locked(info.path)
    assert "this session was ended" in await leave(process)


async def test_a_server_that_stops_lets_running_sessions_end(house: House, tmp_path: Path) -> None:
    client, _ = await with_backup(house, tmp_path)
    process = await hold_lock(client)
    stopping = asyncio.ensure_future(house.server.stop(30))

    async def refuses() -> bool:
        try:
            house.gate.check_accepting()
        except HiveError:
            return True
        return False

    await until(refuses)
    assert len(await house.running()) == 1
    await leave(process)
    async with asyncio.timeout(10):
        await stopping
    assert (await house.last_session()).end_reason != EndReason.DRAINED


async def test_a_server_that_stops_ends_what_takes_too_long(house: House, tmp_path: Path) -> None:
    client, _ = await with_backup(house, tmp_path)
    info = await catalogue.find_repository(OPERATOR, "laptop")
    process = await hold_lock(client)
    async with asyncio.timeout(15):
        await house.server.stop(0.2)
    assert (await house.last_session()).end_reason == EndReason.DRAINED
    assert not is_locked(info.path)
    assert "the server is stopping" in await leave(process)


async def test_sessions_are_limited_in_words(house: House, tmp_path: Path) -> None:
    client, url = await with_backup(house, tmp_path)
    object.__setattr__(house.gate.host.settings.ssh, "max_sessions_per_repository", 1)
    process = await hold_lock(client)
    refused = await client.borg("list", url)
    assert refused.status == 2
    assert "Too many sessions" in refused.error
    login = url.split("//")[1].split("@")[0]
    (await client.ssh(login, "status")).must()
    await leave(process)


async def test_a_backup_made_while_another_key_is_revoked_goes_on(
    house: House, tmp_path: Path
) -> None:
    client, _ = await with_backup(house, tmp_path)
    info = await catalogue.find_repository(OPERATOR, "laptop")
    other = house.client()
    await house.key(other, "desktop")
    await grants.change_access(
        OPERATOR, info.id, grants.ChangeAccess(accesses={"desktop": Access.FULL})
    )
    process = await hold_lock(client)
    await grants.change_access(OPERATOR, info.id, grants.ChangeAccess(remove_keys=["desktop"]))
    assert await house.has_running()
    (await other.ssh(info.login, "status")).must(255)
    assert process.returncode is None
    await leave(process)


async def test_where_confinement_is_required_and_missing_nobody_is_served(tmp_path: Path) -> None:
    async with open_house(tmp_path, **{"child.confinement": "require"}) as house:
        shortcomings = ("Landlock: this kernel is without",)
        house.gate.host = replace(house.gate.host, shortcomings=shortcomings)
        client = house.client()
        await house.user()
        await house.key(client, "laptop")
        made = await house.repository("laptop", {"laptop": Access.FULL})
        refused = await client.borg("init", "-e", "none", made.url)
        assert refused.status == 2
        assert "cannot confine" in refused.error
        assert not (made.path / "config").exists()


@pytest.mark.long
async def test_a_session_whose_row_could_not_be_closed_is_closed_later(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, url = await with_backup(house, tmp_path)
    finish = record.finish

    async def fail(session_id: int, outcome: record.Outcome) -> None:
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(record, "finish", fail)
    (await client.borg("list", url)).must()
    assert await house.has_running()
    monkeypatch.setattr(record, "finish", finish)
    await house.gate.finish_pending()
    assert (await house.last_session()).end_reason == EndReason.DONE
