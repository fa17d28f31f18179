"""Clients that vanish, and clients that come and go by the hundred."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from hive.kinds import Access, EndReason
from hive.services.keys import grants
from hive.services.permissions import OPERATOR
from tests.e2e.gate.hostile.handmade import (
    CHANNEL_CLOSE,
    CHANNEL_OPEN_CONFIRMATION,
    CHANNEL_SUCCESS,
    SUCCESS,
    handmade,
)
from tests.e2e.gate.hostile.scene import Scene, open_scene, until
from tests.programs import borg_command


@pytest.mark.long
async def test_a_client_that_is_stopped_is_found_out_and_its_lock_is_free(tmp_path: Path) -> None:
    settings = {"ssh.keepalive_seconds": 1, "ssh.keepalive_count": 2}
    async with open_scene(tmp_path, **settings) as scene:
        client = scene.house.client()
        await scene.house.key(client, "machine")
        await grants.change_access(
            OPERATOR, scene.repository.id, grants.ChangeAccess(accesses={"machine": Access.FULL})
        )
        url = scene.repository.url
        (await client.borg("init", "-e", "none", url)).must()
        scene.note_what_is_there()
        borg = await client.start(
            "sh", "-c", f'exec "$0" with-lock {url} sleep 600', borg_command("1.4")
        )
        locks = scene.house.directory / "hive" / "repos" / scene.login / "laptop"
        await until((locks / "lock.exclusive").exists, "the lock")
        began = time.monotonic()
        os.killpg(borg.pid, signal.SIGSTOP)
        await until(lambda: not scene.sessions, "the end of the session", 15)
        assert 1.5 < time.monotonic() - began < 12
        assert not (locks / "lock.exclusive").exists()
        assert (await scene.house.last_session()).end_reason == EndReason.CLIENT_GONE
        (await client.borg("list", url)).must()
        os.killpg(borg.pid, signal.SIGKILL)
        await borg.communicate()


async def test_an_idle_connection_and_a_channel_without_a_command_are_closed(
    tmp_path: Path,
) -> None:
    async with open_scene(tmp_path, **{"ssh.idle_connection_seconds": 1}) as scene:
        async with scene.logged_in() as silent, scene.logged_in() as open_only:
            open_only.open_channel()
            await open_only.message(CHANNEL_OPEN_CONFIRMATION)
            await silent.until_lost()
            await open_only.until_lost()
        async with scene.logged_in() as restless:  # opens and closes, and never asks for anything
            while not restless.lost.is_set():
                restless.open_channel()
                try:
                    await restless.message(CHANNEL_OPEN_CONFIRMATION)
                    restless.send_close()
                    await restless.message(CHANNEL_CLOSE)
                except ConnectionResetError:
                    break
        async with scene.logged_in() as deaf:  # has its answer, but never takes it
            deaf.open_channel(window=0)
            await deaf.message(CHANNEL_OPEN_CONFIRMATION)
            deaf.execute("status")
            await deaf.message(CHANNEL_SUCCESS)
            await deaf.until_lost()


async def test_a_session_keeps_its_connection_open_however_long_it_takes(tmp_path: Path) -> None:
    async with (
        open_scene(tmp_path, **{"ssh.idle_connection_seconds": 1}) as scene,
        scene.logged_in() as connection,
    ):
        connection.open_channel()
        await connection.message(CHANNEL_OPEN_CONFIRMATION)
        connection.execute("borg serve")
        await connection.message(CHANNEL_SUCCESS)
        await asyncio.sleep(1.5)
        assert not connection.lost.is_set()


@pytest.mark.long
async def test_five_hundred_short_sessions_leave_nothing(tmp_path: Path) -> None:
    settings = {
        "ssh.max_unauthenticated": 200,
        "ssh.max_unauthenticated_per_address": 100,
        "ssh.max_sessions_per_key": 200,
        "ssh.max_sessions_per_repository": 200,
        "ssh.new_connections_burst_per_address": 1000,
    }
    async with open_scene(tmp_path, **settings) as scene:
        places = asyncio.Semaphore(50)

        async def come_and_go(number: int) -> None:
            async with places:
                await short_session(scene, number)

        await asyncio.gather(*(come_and_go(number) for number in range(500)))
        await scene.assert_nothing_left()
        scene.log.assert_calm()


async def short_session(scene: Scene, number: int) -> None:
    """Most ask for the status; some start a borg serve, leave early, or are not let in."""
    if number % 10 == 3:
        async with handmade(scene.port) as connection:
            await connection.ask(scene.login, scene.stranger)
    elif number % 25 == 7:
        async with handmade(scene.port) as connection:
            assert await connection.ask(scene.login, scene.full) == SUCCESS
            connection.open_channel()
            await connection.message(CHANNEL_OPEN_CONFIRMATION)
            connection.execute("borg serve")
            await connection.message(CHANNEL_SUCCESS)
            if number % 50 == 7:
                connection.send_eof()
                await connection.message(CHANNEL_CLOSE)
    else:
        await scene.status()
