"""Crowds at the web server, under a low limit of open files: the gate and other people get on."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from tests.e2e.asking import until
from tests.e2e.big_backups import end, wait_for
from tests.e2e.installation import SECONDS, Installation
from tests.e2e.test_server import borgs_of

PASSWORD = "correct horse battery"
FILES = 1024
ATTACKER, OTHER = "127.0.0.7", "127.0.0.2"


class SmallInstallation(Installation):
    """Its server may open few files: a soft limit that can be raised a little."""

    def _hive(self) -> list[str]:
        limited = f'ulimit -Sn 256; ulimit -Hn {FILES}; exec "$@"'
        return ["/bin/sh", "-c", limited, "sh", *super()._hive()]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallInstallation]:
    made = SmallInstallation(tmp_path)
    made.environment = {
        "HIVE_WEB__FIRST_BYTE_SECONDS": "8",
        "HIVE_WEB__HEADER_SECONDS": "3",
        "HIVE_WEB__BODY_SECONDS": "3",
        "HIVE_WEB__STALL_SECONDS": "3",
        "HIVE_WEB__KEEPALIVE_SECONDS": "3",
    }
    try:
        yield made
    finally:
        made.close()


def _port(installation: Installation) -> int:
    return int(installation.web_url.rpartition(":")[2])


def _connect(installation: Installation, source: str = ATTACKER) -> socket.socket:
    return socket.create_connection(
        ("127.0.0.1", _port(installation)), timeout=10, source_address=(source, 0)
    )


def _prepare_ssh(installation: Installation) -> list[str]:
    """The command that asks for the status of alice's repository."""
    options = installation.client_environment()["BORG_RSH"].split()[1:]
    *_, shown = installation.hive_all(
        ["user", "add", "alice", "--password-stdin"],
        ["user", "add", "bob", "--password-stdin"],
        ["location", "set", "default", "--host", "127.0.0.1"],
        ["key", "add", "laptop", "--owner", "alice", installation.directory / "id.pub"],
        ["repo", "add", "laptop", "--owner", "alice", "--key", "laptop"],
        ["repo", "show", "laptop", "--json"],
        data=PASSWORD,
    )
    login = json.loads(shown)["login"]
    port = str(installation.ssh_port)
    return ["ssh", *options, "-p", port, f"{login}@127.0.0.1", "status"]


def _seconds_of_ssh(command: list[str]) -> float:
    begun = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return time.monotonic() - begun


def _seconds_of_health(installation: Installation, source: str = OTHER) -> float:
    begun = time.monotonic()
    connection = HTTPConnection(
        "127.0.0.1", _port(installation), timeout=10, source_address=(source, 0)
    )
    with contextlib.closing(connection):
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"ok")
    return time.monotonic() - begun


def _open_sockets(installation: Installation) -> int:
    assert installation.server is not None
    found = 0
    for entry in Path(f"/proc/{installation.server.pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            found += str(entry.readlink()).startswith("socket:")
    return found


def _holds(installation: Installation, stream: socket.socket) -> bool:
    """Whether the server has its end of this connection open."""
    here = f":{stream.getsockname()[1]:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, *rest = line.split()
        if remote.endswith(here) and local.endswith(f":{_port(installation):04X}"):
            return rest[6] != "0"  # its inode; none: closed, and the kernel still has data to send
    return False


def _limits_of(pid: int) -> tuple[int, int]:
    """How many files a process may open: softly and at most."""
    found = re.search(r"Max open files\s+(\d+)\s+(\d+)", Path(f"/proc/{pid}/limits").read_text())
    assert found is not None
    return int(found[1]), int(found[2])


def _log_in(installation: Installation, name: str, source: str = OTHER) -> str:
    """The cookie of a new login."""
    connection = HTTPConnection(
        "127.0.0.1", _port(installation), timeout=10, source_address=(source, 0)
    )
    body = f"name={name}&password={PASSWORD.replace(' ', '+')}"
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": installation.web_url,
        "Sec-Fetch-Site": "same-origin",
    }
    with contextlib.closing(connection):
        connection.request("POST", "/login", body, headers)
        answer = connection.getresponse()
        assert answer.status == 303, answer.read()
        cookies = answer.headers.get_all("Set-Cookie") or []
    found = re.search(r"\bhive=([^;]+)", " ".join(cookies))
    assert found is not None
    return f"hive={found[1]}"


def _stream(
    installation: Installation, cookie: str, source: str
) -> tuple[HTTPConnection, HTTPResponse]:
    connection = HTTPConnection(
        "127.0.0.1", _port(installation), timeout=10, source_address=(source, 0)
    )
    connection.request("GET", "/live", headers={"Cookie": cookie})
    return connection, connection.getresponse()


def _ended_after(stream: socket.socket, begun: float) -> tuple[float, bytes]:
    """When the server ended the connection, and what it said before."""
    said = b""
    stream.settimeout(20)
    with contextlib.suppress(ConnectionResetError):
        while part := stream.recv(4096):
            said += part
    return time.monotonic() - begun, said


@pytest.mark.long
def test_the_soft_limit_is_raised_and_children_keep_theirs(small: SmallInstallation) -> None:
    small.environment["HIVE_CHILD__OPEN_FILES"] = "500"
    small.start(expect_setup=True)
    assert small.server is not None
    assert _limits_of(small.server.pid) == (FILES, FILES)
    assert "raise the hard limit" in small.log  # 1024 is less than all settings may need
    _prepare_ssh(small)
    url = small.json("repo", "show", "laptop")["url"]
    small.borg("init", "-e", "none", url)
    holder = small.start_borg("with-lock", url, "sleep", "60", cwd=small.directory)
    wait_for(lambda: borgs_of(small) != [])
    # the launcher has its name before it has its limits
    wait_for(lambda: [_limits_of(pid) for pid in borgs_of(small)] == [(500, 500)])
    end(holder)


@pytest.mark.long
@pytest.mark.parametrize("what", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_idle_connections_of_one_address_do_not_starve_the_gate(
    small: SmallInstallation, what: bytes
) -> None:
    small.start(expect_setup=True)
    status = _prepare_ssh(small)
    undisturbed = _seconds_of_ssh(status)
    with contextlib.ExitStack() as stack:
        for _ in range(1100):
            opened = stack.enter_context(_connect(small))
            with contextlib.suppress(OSError):  # it was refused already
                opened.sendall(what)
        assert _open_sockets(small) < FILES // 2
        assert _seconds_of_ssh(status) < undisturbed + 1
        assert _seconds_of_health(small) < 1
    assert "web connections were refused" in small.log


@pytest.mark.long
def test_idle_connections_of_many_addresses_starve_neither_gate_nor_web(
    small: SmallInstallation,
) -> None:
    small.start(expect_setup=True)
    status = _prepare_ssh(small)
    undisturbed = _seconds_of_ssh(status)
    with contextlib.ExitStack() as stack:
        for number in range(1100):
            stack.enter_context(_connect(small, f"127.0.1.{number % 50 + 1}"))
        assert _open_sockets(small) < FILES // 2
        assert _seconds_of_ssh(status) < undisturbed + 1
        for _ in range(5):
            assert _seconds_of_health(small) < 1


@pytest.mark.long
def test_bodies_that_never_come_from_many_addresses_do_not_close_the_web(
    small: SmallInstallation,
) -> None:
    small.environment["HIVE_WEB__BODY_SECONDS"] = "120"
    small.start(expect_setup=True)
    with contextlib.ExitStack() as stack:
        for number in range(600):
            opened = stack.enter_context(_connect(small, f"127.0.1.{number % 20 + 1}"))
            with contextlib.suppress(OSError):
                opened.sendall(
                    b"POST /login HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\n"
                    b"Content-Type: application/x-www-form-urlencoded\r\n"
                    b"Content-Length: 1000\r\n\r\na"
                )
        for _ in range(5):
            assert _seconds_of_health(small) < 1


@pytest.mark.long
def test_connections_that_send_nothing_or_too_slowly_are_ended(small: SmallInstallation) -> None:
    small.start(expect_setup=True)
    begun = time.monotonic()
    silent, kept, slow_header, slow_body = (_connect(small) for _ in range(4))
    kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    slow_header.sendall(b"GET / HTTP/1.1\r\n")
    slow_body.sendall(
        b"POST /login HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\nContent-Length: 1000\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    )
    for number in range(6):
        time.sleep(1)
        with contextlib.suppress(OSError):
            slow_header.sendall(b"X-Line-%d: 1\r\n" % number)
        with contextlib.suppress(OSError):
            slow_body.sendall(b"a")
    for stream, least, most, words in (
        (kept, 0, 9, b"200 OK"),
        (slow_header, 0, 9, b"408"),
        (slow_body, 0, 9, b"408"),
        (silent, 7, 12, b""),
    ):
        seconds, said = _ended_after(stream, begun)
        assert least <= seconds <= most
        assert words in said
        stream.close()
    assert _seconds_of_health(small) < 1


@pytest.mark.long
def test_a_client_that_reads_nothing_is_disconnected(small: SmallInstallation) -> None:
    small.start(expect_setup=True)
    request = b"GET /static/app.css HTTP/1.1\r\nHost: a\r\n\r\n"
    with socket.socket() as stream:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stream.connect(("127.0.0.1", _port(small)))
        stream.sendall(request)
        until(lambda: _holds(small, stream))
        stream.settimeout(1)
        with contextlib.suppress(OSError):
            for _ in range(2000):
                stream.sendall(request)
        until(lambda: not _holds(small, stream))


@pytest.mark.long
def test_event_streams_of_one_user_are_capped_and_others_get_theirs(
    small: SmallInstallation,
) -> None:
    small.start(expect_setup=True)
    _prepare_ssh(small)
    cookies = [_log_in(small, "alice") for _ in range(4)]
    held: list[HTTPConnection] = []
    answers: dict[int, int] = {}
    words = b""
    try:
        for number in range(300):
            source = f"127.0.2.{number % 10 + 1}"
            connection, answer = _stream(small, cookies[number % 4], source)
            answers[answer.status] = answers.get(answer.status, 0) + 1
            if answer.status == 200:
                held.append(connection)
            else:
                words = answer.read()
                connection.close()
        assert answers == {200: 40, 429: 260}
        assert b"Too many of your pages are open" in words
        connection, answer = _stream(small, _log_in(small, "bob"), OTHER)
        held.append(connection)
        assert answer.status == 200
        assert _seconds_of_health(small) < 1
    finally:
        for connection in held:
            connection.close()


@pytest.mark.long
def test_event_streams_of_one_login_are_capped_before_those_of_the_user(
    small: SmallInstallation,
) -> None:
    small.start(expect_setup=True)
    _prepare_ssh(small)
    first, second = _log_in(small, "alice"), _log_in(small, "alice")
    with contextlib.ExitStack() as stack:
        statuses = []
        for _ in range(30):
            connection, answer = _stream(small, first, OTHER)
            stack.callback(connection.close)
            statuses.append(answer.status)
        assert statuses.count(200) == 20
        connection, answer = _stream(small, second, OTHER)
        stack.callback(connection.close)
        assert answer.status == 200


@pytest.mark.long
def test_a_trusted_proxy_is_not_limited_like_one_visitor_but_each_visitor_is(
    small: SmallInstallation,
) -> None:
    small.environment["HIVE_WEB__TRUSTED_PROXIES"] = "127.0.0.9/32"
    small.environment["HIVE_WEB__MAX_CONNECTIONS_PER_ADDRESS"] = "10"
    small.environment["HIVE_WEB__BODY_SECONDS"] = "60"
    small.start(expect_setup=True)

    def slow_request(visitor: str) -> socket.socket:
        stream = _connect(small, "127.0.0.9")
        stream.sendall(
            b"POST /login HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\nContent-Length: 1000\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"
            b"X-Forwarded-For: " + visitor.encode() + b"\r\n\r\n"
        )
        return stream

    with contextlib.ExitStack() as stack:
        for number in range(60):  # six visitors with ten requests each: nobody has too many
            stack.enter_context(slow_request(f"192.0.2.{number % 6 + 1}"))
        time.sleep(0.5)
        refused = stack.enter_context(slow_request("192.0.2.1"))
        assert b"429" in refused.recv(4096)
        assert _seconds_of_health(small) < 1
