"""What a client asks for on its connection and its channels, beyond what is on offer."""

from __future__ import annotations

import asyncio
import inspect
import json
import re

import asyncssh
import pytest
from asyncssh.packet import Boolean, String, UInt32

from sshgate.client_session import ClientSession
from tests.e2e.gate.hostile.handmade import (
    CHANNEL_CLOSE,
    CHANNEL_DATA,
    CHANNEL_EXTENDED_DATA,
    CHANNEL_FAILURE,
    CHANNEL_OPEN_CONFIRMATION,
    CHANNEL_OPEN_FAILURE,
    CHANNEL_REQUEST,
    CHANNEL_SUCCESS,
    GLOBAL_REQUEST,
    HandmadeConnection,
)
from tests.e2e.gate.hostile.scene import Scene, resident_bytes, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

REPLIES = (CHANNEL_SUCCESS, CHANNEL_FAILURE)
GLOBAL_SUCCESS, GLOBAL_FAILURE = 81, 82


async def opened(connection: HandmadeConnection, number: int = 0) -> None:
    connection.open_channel(number)
    await connection.message(CHANNEL_OPEN_CONFIRMATION)


async def outcome(connection: HandmadeConnection) -> tuple[int | None, str, str]:
    """The exit status, standard output and standard error, once the channel is closed."""
    status, out, err = None, b"", b""
    while (message := await connection.message()).kind != CHANNEL_CLOSE:
        if message.kind == CHANNEL_DATA:
            out += message.body[4:]
        elif message.kind == CHANNEL_EXTENDED_DATA:
            err += message.body[8:]
        elif message.kind == CHANNEL_REQUEST and b"exit-status" in message.body:
            status = message.body[-1]
    return status, out.decode(), err.decode()


async def test_a_shell_gets_a_friendly_text_and_no_terminal(scene: Scene) -> None:
    async with scene.logged_in() as connection:
        await opened(connection)
        connection.request("pty-req", String("xterm"), bytes(16), String(b"\0"))
        assert (await connection.message(*REPLIES)).kind == CHANNEL_FAILURE
        connection.request("shell")
        assert (await connection.message(*REPLIES)).kind == CHANNEL_SUCCESS
        status, out, err = await outcome(connection)
        assert (status, err) == (0, "")
        assert "Repository laptop" in out
        assert scene.repository.url in out


@pytest.mark.parametrize("name", ["sftp", "netconf", "x" * 1000, "a\nb"])
async def test_subsystems_are_refused_in_words(scene: Scene, name: str) -> None:
    async with scene.logged_in() as connection:
        await opened(connection)
        connection.request("subsystem", String(name))
        status, out, err = await outcome(connection)
        assert (status, out) == (126, "")
        assert err.startswith("borg-hive: Subsystem '")
        assert "is not offered" in err
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("kind", "rest"),
    [
        ("direct-tcpip", String("127.0.0.1") + UInt32(22) + String("127.0.0.1") + UInt32(1)),
        ("direct-streamlocal@openssh.com", String("/run/x") + String("") + UInt32(0)),
        ("tun@openssh.com", UInt32(1) + UInt32(0)),
        ("x11", String("127.0.0.1") + UInt32(1)),
        ("auth-agent@openssh.com", b""),
        ("forwarded-tcpip", String("h") + UInt32(1) + String("h") + UInt32(1)),
        ("no such kind", b""),
    ],
)
async def test_nothing_but_sessions_can_be_opened(scene: Scene, kind: str, rest: bytes) -> None:
    async with scene.logged_in() as connection:
        connection.raw_channels = True
        head = String(kind) + UInt32(0) + UInt32(2**21) + UInt32(2**15)
        connection.send_packet(90, head + rest)
        await connection.message(CHANNEL_OPEN_FAILURE)


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("tcpip-forward", String("") + UInt32(0)),
        ("streamlocal-forward@openssh.com", String("/x")),
        ("cancel-tcpip-forward", String("") + UInt32(0)),
        ("hostkeys-prove-00@openssh.com", String(b"no key")),
        ("no such request", b""),
    ],
)
async def test_nothing_is_forwarded_back(scene: Scene, name: str, rest: bytes) -> None:
    async with scene.logged_in() as connection:
        connection.raw_channels = True
        connection.send_packet(GLOBAL_REQUEST, String(name) + Boolean(True) + rest)
        try:
            answer = await connection.message(GLOBAL_SUCCESS, GLOBAL_FAILURE)
        except ConnectionResetError:
            return
        assert answer.kind == GLOBAL_FAILURE


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("x11-req", Boolean(False) + String("MIT-MAGIC-COOKIE-1") + String("00" * 16) + UInt32(0)),
        ("auth-agent-req@openssh.com", b""),
        ("break", UInt32(500)),
        ("no such request", b"\xff" * 100),
    ],
)
async def test_no_extras_on_a_session(scene: Scene, name: str, rest: bytes) -> None:
    async with scene.logged_in() as connection:
        await opened(connection)
        connection.request(name, rest)
        assert (await connection.message(*REPLIES)).kind == CHANNEL_FAILURE
        connection.execute("status --json")
        status, out, _ = await outcome(connection)
        assert status == 0
        assert json.loads(out)["repository"] == "laptop"


GLOBAL_REQUESTS = {
    "tcpip-forward": String("") + UInt32(0),
    "streamlocal-forward@openssh.com": String("/x"),
    "no-such-request": b"",
}
CHANNEL_REQUESTS = {
    "x11-req": Boolean(False) + String("MIT-MAGIC-COOKIE-1") + String("00" * 16) + UInt32(0),
    "auth-agent-req@openssh.com": b"",
    "window-change": bytes(16),
    "signal": String("TERM"),
    "break": UInt32(500),
    "keepalive@openssh.com": b"",
    "no-such-request": b"",
}
FLOOD = 3000


@pytest.mark.parametrize("first", GLOBAL_REQUESTS)
async def test_a_flood_of_global_requests_is_answered_one_by_one(scene: Scene, first: str) -> None:
    async with scene.logged_in() as connection:
        connection.raw_channels = True
        with connection.in_one_piece():
            for name in (first, *["x"] * FLOOD, first):
                body = GLOBAL_REQUESTS.get(name, b"")
                connection.send_packet(GLOBAL_REQUEST, String(name) + Boolean(True) + body)
        for _ in range(FLOOD + 2):
            assert (await connection.message()).kind == GLOBAL_FAILURE
        assert not connection.lost.is_set()


@pytest.mark.parametrize("first", CHANNEL_REQUESTS)
@pytest.mark.varied(3)
async def test_a_flood_of_requests_on_a_channel_is_answered_one_by_one(
    scene: Scene, first: str
) -> None:
    async with scene.logged_in() as connection:
        await opened(connection)
        with connection.in_one_piece():
            connection.request(first, CHANNEL_REQUESTS[first])
            for _ in range(FLOOD):
                connection.request("window-change", bytes(16))
            connection.execute("status --json")
        for _ in range(FLOOD + 2):
            assert (await connection.message()).kind in REPLIES
        status, out, _ = await outcome(connection)
        assert status == 0
        assert json.loads(out)["repository"] == "laptop"


async def test_no_request_that_asyncssh_knows_is_answered_in_a_task(scene: Scene) -> None:
    """A task lets other requests wait: a later version of asyncssh may bring another one."""
    async with scene.logged_in() as connection:
        await opened(connection)
        [served] = [one._connection for one in scene.connections]
        [channel] = channels_of(scene)
        for owner in (served, channel):
            names = [name for name in dir(owner) if re.fullmatch(r"_process_\w+_request", name)]
            assert names
            handlers = [getattr(owner, name) for name in names]
            sources = [inspect.getsource(handler) for handler in handlers if handler is not None]
            assert not [source for source in sources if "create_task" in source]


async def test_the_environment_of_a_client_is_thrown_away_and_ends_at_a_limit(
    scene: Scene,
) -> None:
    before = resident_bytes()
    hostile = {"LD_PRELOAD": "/x.so", "BORG_REPO": "/etc", "PATH": "/x", "PYTHONPATH": "/"}
    async with scene.logged_in() as connection:
        await opened(connection)
        for name, value in hostile.items():
            connection.request("env", String(name), String(value))
            assert (await connection.message(*REPLIES)).kind == CHANNEL_FAILURE
        assert not [channel._env for channel in channels_of(scene) if channel._env]
        sent = 0
        while not connection.lost.is_set() and sent < 10_000:
            connection.request("env", String(f"V{sent}"), String(b"x" * 200_000), reply=False)
            sent += 1
            await asyncio.sleep(0)
        assert sent < 1000
    assert resident_bytes() - before < 80_000_000


def channels_of(scene: Scene) -> list[asyncssh.SSHServerChannel[bytes]]:
    sessions = [session for connection in scene.connections for session in connection._channels]
    channels = [one._channel for one in sessions if isinstance(one, ClientSession)]
    return [channel for channel in channels if channel is not None]


async def test_a_connection_has_a_few_channels_and_no_more(scene: Scene) -> None:
    async with scene.logged_in() as connection:
        for number in range(1000):
            connection.open_channel(number)
        kinds = [
            (await connection.message(CHANNEL_OPEN_CONFIRMATION, CHANNEL_OPEN_FAILURE)).kind
            for _ in range(1000)
        ]
        assert kinds.count(CHANNEL_OPEN_CONFIRMATION) == 4
        connection.execute("status", number=0)
        status, out, _ = await outcome(connection)
        assert status == 0
        assert "laptop" in out


async def test_a_channel_takes_one_command(scene: Scene) -> None:
    async with scene.logged_in() as connection:
        await opened(connection)
        with connection.in_one_piece():
            connection.execute("status --json")
            connection.execute("borg serve")
            connection.request("shell")
            connection.request("subsystem", String("sftp"))
        kinds = [(await connection.message(*REPLIES)).kind for _ in range(4)]
        assert kinds == [CHANNEL_SUCCESS, *[CHANNEL_FAILURE] * 3]
        assert (await outcome(connection))[0] == 0


COMMANDS: dict[str, tuple[bytes, str]] = {
    "nul": (b"borg serve\0", "control or invisible"),
    "newline": (b"borg serve\nid", "control or invisible"),
    "not text": (b"borg \xff\xfe serve", "control or invisible"),
    "surrogates": (b"\xed\xa0\x80", "control or invisible"),
    "bidi": ("borg \u202eserve".encode(), "control or invisible"),
    "quotes": (b"borg 'serve", "quotes"),
    "long": (b"borg serve " + b"x" * 4096, "longer than 4096 bytes"),
    "wide": ("ö".encode() * 2050, "longer than 4096 bytes"),
    "huge": (b"a" * 200_000, "longer than 4096 bytes"),
    "semicolon": (b"borg serve; id", "No shell runs here"),
    "and": (b"borg serve && sh", "No shell runs here"),
    "pipe": (b"borg serve | sh", "No shell runs here"),
    "substitution": (b"borg serve $(id)", "No shell runs here"),
    "backticks": (b"borg serve `id`", "No shell runs here"),
    "scp": (b"scp -t /", "This server runs borg serve"),
    "bash": (b"bash", "This server runs borg serve"),
    "git": (b"git-upload-pack 'x'", "This server runs borg serve"),
    "borg create": (b"borg create x::y /", "This server runs borg serve"),
    "borg version": (b"borg --version", "This server runs borg serve"),
    "rsync daemon": (b"rsync --server --daemon .", "rsync option --daemon"),
    "status of more": (b"status --json; id", "status knows --json only"),
}


@pytest.mark.parametrize(("words", "answer"), COMMANDS.values(), ids=COMMANDS.keys())
async def test_what_is_not_on_offer_is_refused_in_one_line(
    scene: Scene, words: bytes, answer: str
) -> None:
    async with scene.logged_in() as connection:
        await opened(connection)
        connection.execute(words)
        status, out, err = await outcome(connection)
        assert (status, out) == (126, "")
        assert answer in err
        assert err.count("\n") == 1
        assert err.isascii() or err.strip().isprintable()
    line = await scene.log.wait_for("session refused", scene.full.get_fingerprint())
    assert len(line) < 1500


@pytest.mark.parametrize("words", [b"", b" ", b"    "])
async def test_a_blank_command_is_a_question_for_the_status(scene: Scene, words: bytes) -> None:
    async with scene.logged_in() as connection:
        await opened(connection)
        connection.execute(words)
        status, out, _ = await outcome(connection)
        assert status == 0
        assert "laptop" in out


async def test_a_command_larger_than_a_packet_ends_the_connection(scene: Scene) -> None:
    async with scene.logged_in() as connection:
        await opened(connection)
        connection.execute(b"a" * 1_000_000)
        await connection.until_lost()


async def test_words_of_the_client_give_borg_serve_no_other_rights(scene: Scene) -> None:
    words = (
        "sudo LD_PRELOAD=/x borg --umask=000 serve --restrict-to-path / --storage-quota=1T"
        " --append-only"
    )
    async with scene.logged_in() as connection:
        await opened(connection)
        connection.execute(words)
        assert (await connection.message(*REPLIES)).kind == CHANNEL_SUCCESS
        await until(lambda: bool(processes_of(scene)), "a borg serve")
        argv, environment = processes_of(scene)[0]
        path = str(scene.house.directory / "hive" / "repos" / scene.login / "laptop")
        restrict = ["--restrict-to-path", path, "--restrict-to-repository", path]
        assert argv[-5:] == ["serve", *restrict]
        assert "LD_PRELOAD" not in environment
        connection.send_eof()
        assert (await outcome(connection))[0] == 0


def processes_of(scene: Scene) -> list[tuple[list[str], str]]:
    """Command line and environment of each borg serve that the gate runs now."""
    found = []
    for session in scene.sessions:
        if session._child is None or session._child.status is not None:
            continue
        where = f"/proc/{session._child.pid}"
        with open(f"{where}/cmdline") as file:  # noqa: PTH123 - not a path to speak of
            argv = file.read().split("\0")[:-1]
        with open(f"{where}/environ") as file:  # noqa: PTH123
            environment = file.read()
        if "--" not in argv and "serve" in argv:  # no longer the launcher
            found.append((argv, environment))
    return found
