from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
import struct
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hive import control, control_server, signals
from hive.errors import Unavailable
from hive.process.child import Child
from hive.process.spec import ChildSpec, Confinement
from hive.signals import EndSession, Happening, RightsChanged, TriggerAsked
from tests.sshgate import support


@pytest.fixture
def path(tmp_path: Path) -> Path:
    # far longer than a socket address can be
    directory = tmp_path / ("deep" * 25) / ("deeper" * 20) / "run"
    directory.mkdir(parents=True)
    return directory / "control.sock"


@pytest.fixture
async def server(path: Path) -> AsyncIterator[control_server.ControlServer]:
    server = await control_server.serve(path)
    yield server
    await server.close()


@pytest.fixture
def told(remembering: None) -> Iterator[list[Happening]]:
    happenings: list[Happening] = []
    unsubscribe = signals.subscribe(happenings.append)
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
    server = await control_server.serve(path)
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
    server = await control_server.serve(path)
    assert await control.forward(path, RightsChanged("x"))
    await server.close()


@pytest.mark.usefixtures("server")
async def test_a_second_server_on_the_same_data_is_refused(path: Path) -> None:
    with pytest.raises(Unavailable, match="Another server"):
        await control_server.serve(path)
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
        b'{"tell": "end-session", "reason": "x", "session_id": "7"}\n',
        b'{"tell": "end-session", "reason": "x", "session_id": true}\n',
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
    monkeypatch.setattr(control_server, "SECONDS", 0.05)
    server = await control_server.serve(path)
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
        with pytest.raises(Unavailable, match="does not answer"):
            await control.forward(path, RightsChanged("x"))
    os.close(directory)


async def test_another_user_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch, told: list[Happening]
) -> None:
    server = await control_server.serve(path)
    # To be another user takes root, which is trusted anyway: the server's own is moved instead.
    monkeypatch.setattr(control_server, "_own_user", lambda: 12345)
    monkeypatch.setattr(struct, "unpack", lambda *_: (1, 4711, 4711))
    with pytest.raises(Unavailable, match="only the server's own user"):
        await control.forward(path, RightsChanged("x"))
    assert told == []
    await server.close()


@pytest.mark.usefixtures("server")
async def test_a_long_reason_fits_the_line(path: Path, told: list[Happening]) -> None:
    assert await control.forward(path, RightsChanged("\N{COLLISION SYMBOL}" * 5000))
    assert len(told) == 1


ASKS = """
import os, socket, sys, time
for step in sys.argv[1:]:  # out of the session, the group and the family of whoever started this
    parent, (is_out, tells) = os.getpid(), os.pipe()
    if os.fork():
        os.close(tells); os.read(is_out, 1)
        os._exit(0)
    os.setsid()
    os.close(tells)
    while os.getppid() == parent: time.sleep(0.01)
with socket.socket(socket.AF_UNIX) as asking:
    asking.connect("run/control.sock")
    asking.sendall(b'{"tell": "end-session", "session_id": 1, "reason": "x"}\\n')
    print(asking.recv(4096).decode())
"""


@pytest.fixture
async def open_server() -> AsyncIterator[Path]:
    """A server whose socket every user reaches: nothing but its own judgement protects it."""
    with tempfile.TemporaryDirectory(prefix="hive-test-", dir="/tmp") as directory:
        place = Path(directory)
        place.chmod(0o777)
        (place / "run").mkdir(mode=0o777)
        socket_file = place / "run" / "control.sock"
        server = await control_server.serve(socket_file)
        socket_file.chmod(0o666)
        yield place
        await server.close()


@pytest.mark.parametrize("steps", [(), ("once", "again")], ids=["child", "orphan"])
async def test_a_program_that_the_server_started_is_refused_though_nothing_confines_it(
    open_server: Path, told: list[Happening], steps: tuple[str, ...]
) -> None:
    """Of the same user, root even, in no Landlock, mounts or filter, and whoever its parent is."""
    argv = ("/usr/bin/python3", "-I", "-c", ASKS, *steps)
    spec = ChildSpec(argv=argv, environment={}, cwd=open_server)
    child = Child.start(spec, Confinement(landlock=False, user=None, allow_root=True))
    try:
        child.close_stdin()
        if steps:  # its leader ends at once, and the rest of its group with it
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(child.wait()), 0.01)
        answer = await support.soon(support.read_all(child.stdout_fd))
    finally:
        await child.end(0)
        child.close()
    assert b"may not ask" in answer
    assert told == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")
async def test_a_program_of_the_servers_own_ordinary_user_is_refused(
    open_server: Path, told: list[Happening], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_server, "_own_user", lambda: support.NOBODY.uid)
    argv = ("/usr/bin/python3", "-I", "-c", ASKS)
    spec = ChildSpec(argv=argv, environment={}, cwd=open_server)
    _, printed = await support.output_of(spec, Confinement(landlock=False, user=support.NOBODY))
    assert "may not ask" in printed
    assert told == []


async def test_a_command_of_the_same_user_is_answered(
    open_server: Path, told: list[Happening]
) -> None:
    process = await asyncio.create_subprocess_exec(
        *("/usr/bin/python3", "-I", "-c", ASKS),
        cwd=open_server,
        stdout=asyncio.subprocess.PIPE,
    )
    answer, _ = await process.communicate()
    assert json.loads(answer) == {"ok": True}
    assert told == [EndSession(1, "x")]
