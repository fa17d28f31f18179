from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hive import control, events
from hive.errors import Unavailable
from hive.events import EndSession, Happening, RightsChanged, TriggerAsked


@pytest.fixture
def path(tmp_path: Path) -> Path:
    # far longer than a socket address can be
    directory = tmp_path / ("deep" * 25) / ("deeper" * 20) / "run"
    directory.mkdir(parents=True)
    return directory / "control.sock"


@pytest.fixture
async def server(path: Path) -> AsyncIterator[control.ControlServer]:
    server = await control.serve(path)
    yield server
    await server.close()


@pytest.fixture
def told() -> Iterator[list[Happening]]:
    happenings: list[Happening] = []
    unsubscribe = events.subscribe(happenings.append)
    yield happenings
    unsubscribe()


async def ask(path: Path, data: bytes, *, end: bool = False) -> bytes:
    directory = os.open(path.parent, os.O_PATH)
    reader, writer = await asyncio.open_unix_connection(f"/proc/self/fd/{directory}/{path.name}")
    os.close(directory)
    writer.write(data)
    if end:
        writer.write_eof()
    with contextlib.suppress(ConnectionError):
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.usefixtures("server")
async def test_what_happened_here_is_told_there(path: Path, told: list[Happening]) -> None:
    assert await control.forward(path, RightsChanged("a key was \u201cchanged\u201d"))
    assert await control.forward(path, EndSession(7, "ended by operator"))
    assert await control.forward(path, TriggerAsked(3))
    assert told == [
        RightsChanged("a key was \u201cchanged\u201d"),
        EndSession(7, "ended by operator"),
        TriggerAsked(3),
    ]


async def test_nothing_is_told_where_no_server_runs(path: Path) -> None:
    assert not await control.forward(path, RightsChanged("x"))
    assert not await control.forward(path.parent / "gone" / "control.sock", RightsChanged("x"))


@pytest.mark.usefixtures("server")
async def test_only_its_user_may_use_the_socket(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_the_socket_goes_with_the_server(path: Path) -> None:
    server = await control.serve(path)
    await server.close()
    await server.close()
    assert not path.exists()
    assert not await control.forward(path, RightsChanged("x"))


async def test_the_socket_of_a_killed_server_is_replaced(path: Path) -> None:
    directory = os.open(path.parent, os.O_PATH)
    left = socket.socket(socket.AF_UNIX)
    left.bind(f"/proc/self/fd/{directory}/{path.name}")
    left.close()
    os.close(directory)
    assert not await control.forward(path, RightsChanged("x"))
    server = await control.serve(path)
    assert await control.forward(path, RightsChanged("x"))
    await server.close()


@pytest.mark.usefixtures("server")
async def test_a_second_server_on_the_same_data_is_refused(path: Path) -> None:
    with pytest.raises(Unavailable, match="Another server"):
        await control.serve(path)
    assert await control.forward(path, RightsChanged("the first still listens"))


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b"no json\n",
        b"\xff\xfe\n",
        b'{"tell": "rights-changed"}\n',
        b'{"tell": "rights-changed", "reason": 1}\n',
        b'{"tell": "end-session", "reason": "x", "session": "7"}\n',
        b'{"tell": "end-session", "reason": "x", "session": true}\n',
        b'{"tell": "repository-event", "reason": "x"}\n',
        b"x" * 100_000 + b"\n",
    ],
)
async def test_a_line_that_says_nothing_is_refused(
    path: Path, line: bytes, told: list[Happening]
) -> None:
    answer = await ask(path, line)
    assert not answer or json.loads(answer)["ok"] is False
    assert told == []
    assert await control.forward(path, RightsChanged("still there"))


@pytest.mark.usefixtures("server")
async def test_a_line_that_was_cut_off_is_refused(path: Path, told: list[Happening]) -> None:
    answer = await ask(path, b'{"tell": "rights-changed", "reason": "x"}', end=True)
    assert json.loads(answer) == {"ok": False, "error": "the line was cut off"}
    assert told == []


async def test_a_client_that_says_nothing_is_let_go(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "SECONDS", 0.05)
    server = await control.serve(path)
    assert await ask(path, b"") == b""
    await server.close()


async def test_a_server_that_does_not_answer_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "SECONDS", 0.05)
    directory = os.open(path.parent, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(f"/proc/self/fd/{directory}/{path.name}")
        mute.listen()
        with pytest.raises(Unavailable, match="cannot be told"):
            await control.forward(path, RightsChanged("x"))
    os.close(directory)


async def test_another_user_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch, told: list[Happening]
) -> None:
    server = await control.serve(path)
    # To be another user takes root, which is trusted anyway: the server's own is moved instead.
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setattr(struct, "unpack", lambda *_: (1, 4711, 4711))
    with pytest.raises(Unavailable, match="only the server's own user"):
        await control.forward(path, RightsChanged("x"))
    assert told == []
    await server.close()


@pytest.mark.usefixtures("server")
async def test_a_long_reason_fits_the_line(path: Path, told: list[Happening]) -> None:
    assert await control.forward(path, RightsChanged("\N{COLLISION SYMBOL}" * 5000))
    assert len(told) == 1
