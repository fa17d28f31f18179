"""Those who never log in: silent, slow and many."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path

import asyncssh
import pytest

from tests.gate.hostile.handmade import handmade
from tests.gate.hostile.raw import dial, hang_up, rest_of
from tests.gate.hostile.scene import open_scene, until


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


async def test_a_client_that_never_stops_trying_is_cut_by_the_clock(tmp_path: Path) -> None:
    settings = {"ssh.login_seconds": 1, "ssh.max_tries": 10_000}
    async with open_scene(tmp_path, **settings) as scene, handmade(scene.port) as connection:
        began = time.monotonic()
        while not connection.lost.is_set():
            await connection.ask(scene.login, scene.stranger, signed=False)
        assert time.monotonic() - began < 4


async def test_idle_connections_of_one_address_keep_nobody_else_out(tmp_path: Path) -> None:
    settings = {"ssh.max_unauthenticated_per_address": 5}
    async with open_scene(tmp_path, **settings) as scene:
        idle = [await dial(scene) for _ in range(12)]
        await until(lambda: scene.gate.doorman.waiting == 5, "five that wait")
        assert [await idle[i][0].readline() for i in range(5)] == [b"SSH-2.0-BorgHive\r\n"] * 5
        for reader, _ in idle[5:]:
            assert await rest_of(reader) == b""
        with pytest.raises((asyncssh.Error, OSError)):
            await scene.status()
        answer = await scene.status(local_addr=("127.0.0.2", 0))
        assert answer["access"] == "full"
        await hang_up(*idle)
        await until(lambda: scene.gate.doorman.waiting == 0, "that nobody waits")
        await scene.status()


async def test_no_more_wait_in_all_than_the_limit_and_running_sessions_go_on(
    tmp_path: Path,
) -> None:
    settings = {"ssh.max_unauthenticated": 20, "ssh.max_unauthenticated_per_address": 20}
    async with open_scene(tmp_path, **settings) as scene:
        async with await scene.connect() as there:
            crowd = [await dial(scene, f"127.0.1.{number}") for number in range(1, 61)]
            await asyncio.gather(
                *(reader.readline() for reader, _ in crowd), return_exceptions=True
            )
            assert 10 <= scene.gate.doorman.waiting <= 20
            assert (await there.run("status")).exit_status == 0
            await hang_up(*crowd)
        await until(lambda: scene.gate.doorman.waiting == 0, "that nobody waits")


async def test_an_address_that_connects_too_often_is_dropped_without_a_word(
    tmp_path: Path,
) -> None:
    settings = {
        "ssh.new_connections_burst_per_address": 10,
        "ssh.new_connections_per_minute_per_address": 60,
    }
    async with open_scene(tmp_path, **settings) as scene:
        greeted = 0
        for _ in range(30):
            streams = await dial(scene, "127.0.0.3")
            with suppress(ConnectionResetError):
                greeted += bool(await streams[0].readline())
            await hang_up(streams)
        assert 10 <= greeted <= 15
        # Turned away at the door is told in few lines, and the next one is served.
        assert 1 <= len(scene.log.having("turned away")) <= 2
        await scene.status()


async def test_the_length_of_a_command_is_as_it_is_set(tmp_path: Path) -> None:
    async with (
        open_scene(tmp_path, **{"ssh.max_command_length": 64}) as scene,
        await scene.connect() as connection,
    ):
        done = await connection.run("borg serve " + "x" * 60)
        assert done.exit_status == 126
        assert "longer than 64 bytes" in str(done.stderr)
