"""A machine that was taken over has an append-only key; another one prunes, or backs up.

Each test lets the first machine do what no borg client does while the second is at work, and
holds that the second loses nothing.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hive.kinds import Access
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from hive.services.sessions import config_versions
from tests.e2e.gate.harness import Client, House
from tests.e2e.gate.rpc import ENDED, Rpc, rpc
from tests.rpc_messages import RpcError

CHUNKS = 120
MANIFEST = bytes(32)


@dataclass
class Pair:
    """Two machines with keys to one repository: one with full access, one that may only append."""

    info: RepositoryInfo
    good: Client
    evil: Client
    kept: dict[bytes, bytes]

    async def check(self) -> None:
        """Everything that was to be kept is there, by borg's own word."""
        async with rpc(self.good, self.info.login) as session:
            await session.open()
            for identifier, data in self.kept.items():
                assert await session.call("get", id=identifier) == data
            assert await session.call("check", repair=False, save_space=False) is True


@pytest_asyncio.fixture
async def pair(house: House) -> Pair:
    good, evil = house.client(), house.client()
    await house.user()
    await house.key(good, "good")
    await house.key(evil, "evil")
    info = await house.repository("laptop", {"good": Access.FULL, "evil": Access.APPEND_ONLY})
    kept = {}
    async with rpc(good, info.login) as session:
        await session.open(create=True)
        for number in range(2 * CHUNKS):
            identifier, data = number.to_bytes(32, "big"), os.urandom(5000)
            await session.call("put", id=identifier, data=data)
            if number % 2 == 0:
                kept[identifier] = data
        await session.call("commit")
    return Pair(info, good, evil, kept)


async def write_without_lock(session: Rpc) -> None:
    await session.open(lock=False, exclusive=False)


async def write_after_a_timeout(session: Rpc) -> None:
    """borg serve keeps a repository whose lock it could not get."""
    await session.send("open", path="/./laptop", create=False, lock_wait=0.1, exclusive=True)
    await session.send("put", id=b"e" * 32, data=b"evil")


async def write_with_a_shared_lock(session: Rpc) -> None:
    """The first write fails, and leaves a transaction open that a second one uses."""
    await session.open(exclusive=False)


async def open_again_without_lock(session: Rpc) -> None:
    await session.open(exclusive=False)
    await session.open(lock=False)


async def break_the_lock(session: Rpc) -> None:
    await session.open(exclusive=False)
    await session.call("break_lock")


async def read_without_lock(session: Rpc) -> None:
    """A read completes or rewrites an index that the writer is at work on."""
    await session.open(lock=False, exclusive=False)
    await session.call("get", id=MANIFEST)


Attack = Callable[[Rpc], Awaitable[None]]
ATTACKS: list[Attack] = [
    write_without_lock,
    write_after_a_timeout,
    write_with_a_shared_lock,
    open_again_without_lock,
    break_the_lock,
    read_without_lock,
]


async def attack(pair: Pair, how: Attack) -> None:
    """Do all that may follow, whatever the server says to it."""
    async with rpc(pair.evil, pair.info.login) as session:
        with suppress(RpcError):
            await how(session)
        attempts: list[tuple[str, dict[str, Any]]] = [
            ("put", {"id": b"e" * 32, "data": b"evil"}),
            ("put", {"id": b"f" * 32, "data": b"evil"}),
            ("delete", {"id": next(iter(pair.kept))}),
            ("commit", {"compact": True}),
            ("check", {"repair": True}),
            ("destroy", {}),
        ]
        for method, arguments in attempts:
            if await session.tried(method, **arguments) == ENDED:
                break


@pytest.mark.long
@pytest.mark.parametrize("how", ATTACKS, ids=lambda how: how.__name__)
async def test_a_machine_that_prunes_loses_nothing_that_it_keeps(pair: Pair, how: Attack) -> None:
    async with rpc(pair.good, pair.info.login) as session:
        await session.open()
        for number in range(1, 2 * CHUNKS, 2):
            await session.call("delete", id=number.to_bytes(32, "big"))
        await attack(pair, how)
        await session.call("commit", compact=True)
    await pair.check()


@pytest.mark.long
@pytest.mark.parametrize("how", ATTACKS, ids=lambda how: how.__name__)
async def test_a_backup_that_was_said_to_be_good_can_be_read(pair: Pair, how: Attack) -> None:
    async with rpc(pair.good, pair.info.login) as session:
        await session.open()
        for number in range(7):
            identifier, data = (10_000 + number).to_bytes(32, "big"), os.urandom(50_000)
            pair.kept[identifier] = data
            await session.call("put", id=identifier, data=data)
        await attack(pair, how)
        await session.call("commit", compact=False)
    await pair.check()


async def test_another_key_of_borg_is_not_stored_by_an_append_only_key(pair: Pair) -> None:
    config = pair.info.path / "config"
    before = config.read_bytes()
    async with rpc(pair.evil, pair.info.login) as session:
        await session.open()
        for number in range(60):
            said = await session.tried("save_key", keydata=b"EVIL%d" % number)
            assert said is not None
            assert "changing its key is refused" in said
    assert config.read_bytes() == before
    assert len(await config_versions.list_versions(OPERATOR, pair.info.id)) == 1


async def test_later_backups_still_get_nonces_from_an_append_only_key(pair: Pair) -> None:
    async with rpc(pair.evil, pair.info.login) as session:
        await session.open()
        start = await session.call("get_free_nonce")
        for end in (2**64 - 1, 2**63, 2**50):
            said = await session.tried(
                "commit_nonce_reservation", next_unreserved=end, start_nonce=start
            )
            assert said is not None
            assert "nonces is refused" in said
        assert await session.call("get_free_nonce") == start


@pytest.mark.long
async def test_a_backup_and_the_export_of_its_key_keep_each_other_waiting(
    pair: Pair, tmp_path: Path
) -> None:
    """A full key opens without the lock only while no other session of the repository runs."""
    url = pair.info.url
    async with rpc(pair.good, pair.info.login) as session:
        await session.open(exclusive=False)
        for command in (["break-lock", url], ["key", "export", url, str(tmp_path / "key")]):
            done = await pair.good.borg(*command)
            assert done.status != 0
            assert "Repository laptop is in use by session" in done.error
        assert await session.call("__len__") == 2 * CHUNKS
    (await pair.good.borg("break-lock", url)).must()
    info = await catalogue.find_repository(OPERATOR, "laptop")
    assert info.state == "ready"
