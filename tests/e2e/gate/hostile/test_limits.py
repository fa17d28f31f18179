"""Those who never log in: silent, slow and many."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import asyncssh
import pytest

from hive.kinds import AddressTrouble, EventKind
from hive.services import events
from hive.services.gate import client_addresses
from hive.services.permissions import OPERATOR
from tests.e2e.gate.hostile.handmade import SUCCESS, handmade
from tests.e2e.gate.hostile.raw import dial, hang_up, rest_of
from tests.e2e.gate.hostile.scene import open_scene, resident_bytes, until


async def test_a_silent_and_a_slow_client_are_cut_when_the_time_for_the_login_is_over(
    tmp_path: Path,
) -> None:
    async with open_scene(tmp_path, **{"ssh.login_seconds": 1}) as scene:
        silent, slow = await dial(scene), await dial(scene)
        began = time.monotonic()

        async def drip() -> None:
            for byte in b"SSH-2.0-a-very-slow-client-that-never-gets-there":
                slow[1].write(bytes([byte]))
                await asyncio.sleep(0.1)

        dripping = asyncio.ensure_future(drip())
        for reader, _ in (silent, slow):
            assert (await rest_of(reader)).startswith(b"SSH-2.0-BorgHive")
        assert 0.9 < time.monotonic() - began < 4
        dripping.cancel()
        await hang_up(silent, slow)


async def test_a_client_that_stops_after_the_key_exchange_is_cut_as_well(tmp_path: Path) -> None:
    async with (
        open_scene(tmp_path, **{"ssh.login_seconds": 1}) as scene,
        handmade(scene.port) as connection,
    ):
        await connection.until_lost()


@pytest.mark.long
async def test_the_owner_hears_of_a_client_that_named_a_login_and_was_turned_away(
    tmp_path: Path,
) -> None:
    async with open_scene(tmp_path, **{"ssh.login_seconds": 1}) as scene:
        for _ in range(3):
            async with handmade(scene.port) as connection:
                await connection.ask(scene.login, scene.stranger, signed=False)
                await connection.until_lost()
        await scene.assert_nothing_left()
        rows = await events.recent(OPERATOR, kinds=[EventKind.REFUSED])
        told = [row.message for row in rows if "turned away" in row.message]
        expected = (
            "A client at 127.0.0.1 did not log in and was turned away: You did not log in within"
            " 1 seconds. Connect again."
        )
        assert told == [expected]


async def test_a_client_that_never_stops_trying_is_cut_by_the_clock(tmp_path: Path) -> None:
    settings = {"ssh.login_seconds": 1, "ssh.max_tries": 10_000}
    async with open_scene(tmp_path, **settings) as scene, handmade(scene.port) as connection:
        began = time.monotonic()
        while not connection.lost.is_set():
            await connection.ask(scene.login, scene.stranger, signed=False)
        assert time.monotonic() - began < 4


async def test_idle_connections_of_one_address_keep_nobody_else_out(tmp_path: Path) -> None:
    settings = {"ssh.max_unauthenticated_per_address": 5, "ssh.max_waiting_per_address": 7}
    async with open_scene(tmp_path, **settings) as scene:
        door = scene.gate.doorman
        idle = [await dial(scene) for _ in range(12)]
        await until(lambda: door.waiting == 7, "seven that wait")
        assert door.unauthenticated == 5
        assert [await idle[i][0].readline() for i in range(5)] == [b"SSH-2.0-BorgHive\r\n"] * 5
        # One more than may wait reads why.
        with pytest.raises(asyncssh.DisconnectError, match="Too many connections from your"):
            await scene.status()
        answer = await scene.status(local_addr=("127.0.0.2", 0))
        assert answer["access"] == "full"
        await hang_up(*idle)
        await until(lambda: door.unauthenticated + door.waiting == 0, "that nobody waits")
        await scene.status()


async def test_no_more_log_in_at_once_than_the_limit_and_running_sessions_go_on(
    tmp_path: Path,
) -> None:
    settings = {
        "ssh.max_unauthenticated": 20,
        "ssh.max_unauthenticated_per_address": 20,
        "ssh.max_waiting": 30,
    }
    async with open_scene(tmp_path, **settings) as scene:
        door = scene.gate.doorman
        async with await scene.connect() as there:
            crowd = [await dial(scene, f"127.0.1.{number}") for number in range(1, 61)]
            await until(lambda: door.waiting == 15, "those who wait")
            assert door.unauthenticated == 10
            assert (await there.run("status")).exit_status == 0
            # Those who logged in lately have the other half.
            assert (await scene.status())["access"] == "full"
            told = await rest_of(crowd[-1][0])
            assert b"Too many clients are connecting" in told
            await hang_up(*crowd)
        await until(lambda: door.unauthenticated + door.waiting == 0, "that nobody waits")


@pytest.mark.long
async def test_half_open_connections_from_many_addresses_keep_nobody_out(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        known = [f"127.0.2.{number}" for number in range(1, 9)]
        for source in known:
            await scene.status(local_addr=(source, 0))
        crowd = [
            await dial(scene, f"127.0.3.{number}") for number in range(1, 13) for _ in range(10)
        ]
        answers = await asyncio.gather(
            *(scene.status(local_addr=(source, 0)) for source in known), return_exceptions=True
        )
        assert [one if isinstance(one, BaseException) else one["access"] for one in answers] == [
            "full"
        ] * 8
        # Nobody knows this one, but it only waits until the crowd has held its places for long.
        assert (await scene.status(local_addr=("127.0.4.1", 0)))["access"] == "full"
        await hang_up(*crowd)


@pytest.mark.long
async def test_an_address_that_connects_too_often_without_a_login_is_slowed_down(
    tmp_path: Path,
) -> None:
    settings = {
        "ssh.new_connections_burst_per_address": 10,
        "ssh.new_connections_per_minute_per_address": 60,
    }
    async with open_scene(tmp_path, **settings) as scene:
        began = time.monotonic()
        for _ in range(14):
            streams = await dial(scene, "127.0.0.3")
            assert await streams[0].readline() == b"SSH-2.0-BorgHive\r\n"
            await hang_up(streams)
        assert time.monotonic() - began > 3
        began = time.monotonic()
        await scene.status()
        assert time.monotonic() - began < 2
        await scene.gate.write_observations()
        (info,) = await client_addresses.list_addresses(OPERATOR)
        assert info.network == "127.0.0.3"
        assert [one.trouble for one in info.troubles] == [AddressTrouble.SLOWED_DOWN]


async def test_a_client_that_exchanges_no_keys_is_cut_before_the_time_for_the_login(
    tmp_path: Path,
) -> None:
    async with open_scene(tmp_path, **{"ssh.key_exchange_seconds": 1}) as scene:
        silent = await dial(scene)
        async with handmade(scene.port) as connection:  # it has exchanged keys
            assert b"You did not exchange keys within 1 seconds" in await rest_of(silent[0])
            assert not connection.lost.is_set()
            assert await connection.ask(scene.login, scene.full) == SUCCESS
        await hang_up(silent)


async def test_waiting_clients_that_vanish_are_no_trouble_for_one_that_is_turned_away(
    tmp_path: Path,
) -> None:
    """The event loop has not heard yet that they are gone when it says farewell to them."""
    settings = {"ssh.max_unauthenticated_per_address": 1}
    async with open_scene(tmp_path, **settings) as scene:
        first = await dial(scene)
        await first[0].readline()
        waiting = [await dial(scene) for _ in range(20)]
        await until(lambda: scene.gate.doorman.waiting == 20, "twenty that wait")
        descriptors = [os.dup(writer.get_extra_info("socket").fileno()) for _, writer in waiting]
        for _, writer in waiting:
            writer.transport.abort()
        await asyncio.sleep(0)
        for descriptor in descriptors:
            os.close(descriptor)  # closed within this turn of the loop: what is sent now is reset
        scene.gate.doorman.close("Nobody waits any longer.")
        await hang_up(first)


async def test_what_a_waiting_client_sends_is_kept_in_bounds(tmp_path: Path) -> None:
    settings = {"ssh.max_unauthenticated_per_address": 1}
    async with open_scene(tmp_path, **settings) as scene:
        first = await dial(scene)
        await first[0].readline()
        before = resident_bytes()
        flooding = await dial(scene)
        flooding[1].write(b"SSH-2.0-x\r\n" + bytes(40_000_000))
        await until(lambda: scene.gate.doorman.waiting == 1, "one that waits")
        await asyncio.sleep(0.3)
        # The test's own 40 MB are among them.
        assert resident_bytes() - before < 60_000_000
        flooding[1].transport.abort()
        await hang_up(first)


async def test_the_length_of_a_command_is_as_it_is_set(tmp_path: Path) -> None:
    async with (
        open_scene(tmp_path, **{"ssh.max_command_length": 64}) as scene,
        await scene.connect() as connection,
    ):
        done = await connection.run("borg serve " + "x" * 60)
        assert done.exit_status == 126
        assert "longer than 64 bytes" in str(done.stderr)
