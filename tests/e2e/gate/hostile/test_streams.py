"""Data that comes when it should not, and clients that do not take what they get."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import msgpack
import pytest
from asyncssh.packet import SSHPacket, String

from hive.kinds import Access
from hive.services.keys import grants
from hive.services.permissions import OPERATOR
from hive.services.sessions import infos as session_infos
from hive.services.sessions import record
from hive.services.sessions.filters import SessionState
from sshgate import serving as serving_module
from sshgate.client_session import ClientSession
from tests.e2e.gate.hostile.handmade import (
    CHANNEL_ADJUST,
    CHANNEL_CLOSE,
    CHANNEL_DATA,
    CHANNEL_OPEN_CONFIRMATION,
    CHANNEL_SUCCESS,
    HandmadeConnection,
)
from tests.e2e.gate.hostile.scene import Scene, resident_bytes, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1024 * 1024


@asynccontextmanager
async def serving(scene: Scene, window: int = 2**31 - 1) -> AsyncIterator[HandmadeConnection]:
    """A handmade client that talks to a borg serve."""
    async with scene.logged_in() as connection:
        connection.open_channel(window=window)
        await connection.message(CHANNEL_OPEN_CONFIRMATION)
        connection.execute("borg serve")
        await connection.message(CHANNEL_SUCCESS)
        await until(lambda: running(scene) == 1, "a running session")
        yield connection


def running(scene: Scene) -> int:
    return sum(session._relay is not None for session in scene.sessions)


async def test_data_after_the_end_of_data_ends_the_connection(scene: Scene) -> None:
    async with serving(scene) as connection:
        connection.send_eof()
        for _ in range(3200):
            connection.send_data(b"x" * 32_000)
            if connection.lost.is_set():
                break
            await asyncio.sleep(0)
        await connection.until_lost()


async def test_a_second_end_of_data_ends_the_connection(scene: Scene) -> None:
    async with serving(scene) as connection:
        connection.send_eof()
        connection.send_eof()
        await connection.until_lost()


@pytest.mark.parametrize("with_end", [False, True])
async def test_a_channel_may_be_closed_in_the_middle(scene: Scene, with_end: bool) -> None:
    async with serving(scene) as connection:
        if with_end:
            connection.send_eof()
        connection.send_close()
        await connection.message(CHANNEL_CLOSE)
        await until(lambda: not scene.gate.sessions, "the end of the session")


async def test_a_command_whose_channel_is_closed_in_the_same_breath_upsets_nothing(
    scene: Scene,
) -> None:
    for words in ("status", "borg serve", "bash", "rsync --server -r . ."):
        async with scene.logged_in() as connection:
            connection.open_channel()
            await connection.message(CHANNEL_OPEN_CONFIRMATION)
            with connection.in_one_piece():
                connection.execute(words)
                connection.send_data(b"x" * 1000)
                connection.send_close()
            await connection.message(CHANNEL_CLOSE)
            await until(lambda: not scene.gate.sessions, "the end of the session")
            await until(lambda: not next(iter(scene.connections))._running, "the end of it")


async def test_more_data_than_the_window_ends_the_connection(scene: Scene) -> None:
    async with scene.logged_in() as connection:
        connection.open_channel()
        await connection.message(CHANNEL_OPEN_CONFIRMATION)
        with connection.in_one_piece():
            for _ in range(80):
                connection.send_data(b"x" * 32_000)
        await connection.until_lost()


async def test_a_window_of_single_bytes_takes_little_memory(scene: Scene) -> None:
    async with scene.logged_in() as connection:
        connection.open_channel()
        await connection.message(CHANNEL_OPEN_CONFIRMATION)
        with connection.in_one_piece():
            for _ in range(5000):
                connection.send_data(b"x")
        (there,) = scene.connections
        (session,) = there._channels
        assert isinstance(session, ClientSession)
        channel = session._channel
        assert channel is not None
        await until(lambda: channel._recv_window <= 2 * MIB - 5000, "all of them")
        assert len(channel._recv_buf) < 300
        assert sum(len(piece) for piece, _ in channel._recv_buf) == 5000
        connection.execute("status")
        await connection.message(CHANNEL_CLOSE)


@pytest.mark.parametrize("size", [0, 1, 2**32 - 1])
async def test_any_size_of_packets_is_coped_with(scene: Scene, size: int) -> None:
    async with scene.logged_in() as connection:
        connection.open_channel(packet=size)
        if size == 0:
            await connection.until_lost()
            return
        await connection.message(CHANNEL_OPEN_CONFIRMATION)
        connection.execute("status --json")
        received = b""
        while (message := await connection.message(CHANNEL_DATA, CHANNEL_CLOSE)).kind == 94:
            assert len(message.body) - 4 <= size
            received += message.body[4:]
        assert b"laptop" in received


async def test_signals_end_a_session_once_or_not_at_all(scene: Scene) -> None:
    async with serving(scene) as connection:
        for name in ("KILL", "STOP", "USR1", "no such signal", "\n"):
            connection.request("signal", String(name))
            await connection.message(CHANNEL_SUCCESS)
        assert running(scene) == 1
        before = len(asyncio.all_tasks())
        with connection.in_one_piece():
            for _ in range(2000):
                connection.request("signal", String("TERM"), reply=False)
        peak = 0
        async with asyncio.timeout(10):
            while scene.sessions:
                peak = max(peak, len(asyncio.all_tasks()))
                await asyncio.sleep(0)
        assert peak < before + 20
    assert (await scene.house.last_session()).end_reason == "client gone"


async def test_words_for_a_channel_that_is_closing_are_dropped(scene: Scene) -> None:
    """A child may speak between the client's closing and the session's hearing of it."""
    async with serving(scene) as connection:
        (running_session,) = scene.sessions
        channel = running_session._channel
        assert channel is not None
        channel.close()
        channel.write(b"late")
        channel.write_stderr(b"late")
        await connection.message(CHANNEL_CLOSE)
        connection.send_close()
        await until(lambda: not scene.gate.sessions, "the end of the session")


# clients that do not read


ENDLESS = """
import sys
while True:
    sys.stdout.buffer.write(b"x" * 65536)
"""
DEAF = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.stdout.buffer.write(b"x" * 4_000_000)
time.sleep(600)
"""


@pytest.mark.parametrize("how", ["no window", "no socket", "no keys"])
async def test_a_client_that_takes_nothing_costs_little_and_can_be_ended(
    scene: Scene, serve: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    serve(ENDLESS)
    monkeypatch.setattr(serving_module, "_LAST_WORDS_SECONDS", 0.5)
    before = resident_bytes()
    async with serving(scene, window=0 if how == "no window" else 2**32 - 1) as connection:
        if how == "no socket":
            connection.stop_reading()
        elif how == "no keys":
            connection.process_packet = ignore_keys(connection)  # type: ignore[method-assign]
            connection.begin_rekey()
        (running_session,) = scene.sessions
        relay = running_session._relay
        assert relay is not None
        await until(lambda: not relay._drained.is_set(), "that the child is held back")
        sent = relay.bytes_out
        assert sent >= MIB // 2
        await asyncio.sleep(0.3)
        assert relay.bytes_out == sent
        assert resident_bytes() - before < 64 * MIB
        (row,) = await session_infos.list_sessions(OPERATOR, state=SessionState.LIVE)
        await record.kill(OPERATOR, row.id)
        await until(lambda: not scene.gate.sessions, "the end of the session")
    assert (await session_infos.get_session(OPERATOR, row.id)).end_reason == "killed"


def ignore_keys(connection: HandmadeConnection) -> Callable[..., object]:
    """Answer nothing that belongs to an exchange of keys."""
    answer = connection.process_packet

    def process(pkttype: int, pktid: int, packet: SSHPacket) -> object:
        return True if pkttype in {20, 21, 30, 31} else answer(pkttype, pktid, packet)

    return process


async def test_a_client_that_neither_reads_nor_is_read_is_ended_when_it_closes(
    scene: Scene, serve: Callable[[str], None]
) -> None:
    serve(DEAF)
    async with serving(scene, window=0) as connection:
        (running_session,) = scene.sessions
        relay = running_session._relay
        assert relay is not None
        for _ in range(60):  # more than the pipe takes
            connection.send_data(b"x" * 32_000)
        await until(lambda: bool(relay._to_child), "a full pipe")
        connection.send_close()
        await until(lambda: not scene.gate.sessions, "the end of the session")
    assert (await scene.house.last_session()).end_reason == "client gone"


@pytest.mark.long
async def test_a_client_that_asks_and_takes_no_answer_is_asked_to_wait(scene: Scene) -> None:
    """Refusals are the gate's own words: they must not pile up for a read-only key."""
    await create_repository(scene)
    before = resident_bytes()
    async with scene.logged_in(scene.read) as connection:
        connection.open_channel(window=4096)
        await connection.message(CHANNEL_OPEN_CONFIRMATION)
        connection.execute("borg serve")
        await connection.message(CHANNEL_SUCCESS)
        client = {b"client_version": (1, 4, 0, -1)}
        connection.send_data(msgpack.packb((1, 1, b"negotiate", (client,))))
        await connection.message(CHANNEL_DATA)
        where = {b"path": b"/./laptop", b"create": False, b"lock_wait": 1, b"lock": True}
        connection.send_data(msgpack.packb({b"i": 2, b"m": b"open", b"a": where}))
        await connection.message(CHANNEL_DATA)
        asked = {b"i": 3, b"m": b"delete", b"a": {b"id": b"x" * 32}}
        call = msgpack.packb(asked, use_bin_type=False)
        calls = call * (30_000 // len(call))
        with suppress(TimeoutError):
            async with asyncio.timeout(3):
                for _ in range(5000):
                    await send_within_window(connection, calls)
                raise AssertionError("the gate took all of it")
        assert not connection.lost.is_set()
        (running_session,) = scene.sessions
        channel = running_session._channel
        assert channel is not None
        assert MIB // 4 < channel._send_buf_len < 4 * MIB
        assert resident_bytes() - before < 64 * MIB


async def create_repository(scene: Scene) -> None:
    client = scene.house.client()
    await scene.house.key(client, "machine")
    await grants.change_access(
        OPERATOR, scene.repository.id, grants.ChangeAccess(accesses={"machine": Access.FULL})
    )
    (await client.borg("init", "-e", "none", scene.repository.url)).must()
    scene.note_what_is_there()


async def send_within_window(connection: HandmadeConnection, data: bytes) -> None:
    """Send as a client that keeps to the window, and waits for it."""
    if connection.window is None:
        connection.window = 2 * MIB
    while connection.window < len(data):
        adjust = await connection.message(CHANNEL_ADJUST, seconds=60)
        connection.window += int.from_bytes(adjust.body[:4], "big")
    connection.window -= len(data)
    connection.send_data(data)
    await asyncio.sleep(0)
