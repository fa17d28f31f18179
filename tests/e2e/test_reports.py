"""What a machine with a ping token can do to the server, tried on the real one."""

from __future__ import annotations

import gzip
import http.client
import re
import secrets
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import pytest

from tests.e2e.installation import Installation

MIB = 1024 * 1024
_STALL = re.compile(r"the event loop \w+ .*seconds=([0-9.]+)")
AT_ONCE = 1.0  # seconds for /healthz, however busy the machine is


def ask(
    method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> int:
    """The status of the answer."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=100)
    try:
        connection.request(method, place.path, body, headers or {})
        return connection.getresponse().status
    finally:
        connection.close()


class Health:
    """Asks /healthz again and again, and knows the longest time that an answer took."""

    def __init__(self, url: str) -> None:
        self.longest = 0.0
        self.answers = 0
        self._url = f"{url}/healthz"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        while not self._over.wait(0.05):
            begun = time.monotonic()
            assert ask("GET", self._url) == 200
            self.longest = max(self.longest, time.monotonic() - begun)
            self.answers += 1

    def __enter__(self) -> Health:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


@contextmanager
def healthy(installation: Installation) -> Iterator[None]:
    """Hold that the server answers at once all the while, and its loop does not stand still."""
    before = len(installation.log)
    with Health(installation.web_url) as health:
        yield
    assert health.answers > 3
    assert health.longest < AT_ONCE
    stalls = _STALL.findall(installation.log[before:])
    assert max(map(float, stalls), default=0.0) < AT_ONCE


@pytest.fixture
def reporting(installation: Installation) -> Installation:
    """A running server with alice and her repository `laptop`."""
    installation.start(expect_setup=True)
    installation.hive("user", "add", "alice")
    installation.hive("repo", "add", "laptop", "--owner", "alice")
    return installation


def new_url(installation: Installation, name: str) -> str:
    made = installation.json("repo", "ping-token", "add", "laptop", name)
    return f"{installation.web_url}/ping/{made['token']}"


def send(url: str, body: bytes) -> int:
    return ask("POST", url, body)


def newest_log(installation: Installation) -> str:
    newest = installation.json("report", "list", "--repo", "laptop", "--limit", "1")[0]
    return str(installation.json("report", "show", str(newest["id"]))["log"])


@pytest.mark.long
def test_no_shape_of_a_report_holds_up_the_server(reporting: Installation) -> None:
    url = new_url(reporting, "laptop")
    shapes = [
        *("/", "://", "/ping/", "/p/", "/p", "token=", "Bearer ", "password: a ", "BORG_KEY='"),
        *('Creating archive at "', "Creating archive at ", "\nRepository: ", "a@", "\n", " ", "\0"),
        *("\u202e", "\U0001f600", "x" * 1000 + "\n", "%(key)s: "),
    ]
    with healthy(reporting):
        for shape in shapes:
            piece = shape.encode()
            assert send(f"{url}/1", piece * (MIB // len(piece))) == 200
        assert send(f"{url}/1", bytes(range(256)) * (MIB // 256)) == 200
        bomb = gzip.compress(b"x" * (400 * MIB), compresslevel=1)
        assert ask("POST", f"{url}/1", bomb, {"Content-Encoding": "gzip"}) == 200


@pytest.mark.long
def test_sixty_two_megabytes_of_reports_grow_no_database_and_a_bounded_directory(
    reporting: Installation,
) -> None:
    url = new_url(reporting, "laptop")
    database = reporting.data / "hive.sqlite3"
    before = sum(path.stat().st_size for path in reporting.data.glob("hive.sqlite3*"))
    answers = []
    with healthy(reporting):
        for number in range(62):
            noise = "".join(secrets.token_hex(40) + "\n" for _ in range(13_300))
            answers.append(send(url, f"{noise}the end of {number}\n".encode()))
    assert set(answers) <= {200, 429}
    last = max(number for number, status in enumerate(answers) if status == 200)
    assert newest_log(reporting).endswith(f"\nthe end of {last}\n")
    assert len(newest_log(reporting)) > MIB
    after = sum(path.stat().st_size for path in reporting.data.glob("hive.sqlite3*"))
    # its journal has a size of its own
    assert after - before < 6 * MIB
    assert database.stat().st_size < 2 * MIB
    files = [path for path in (reporting.data / "logs").rglob("*") if path.is_file()]
    assert len(files) == answers.count(200)
    assert sum(path.stat().st_blocks * 512 for path in files) <= 32 * MIB


@pytest.mark.long
def test_a_megabyte_that_arrives_slowly_is_kept_whole_and_holds_up_nothing(
    reporting: Installation,
) -> None:
    url = urlsplit(new_url(reporting, "laptop"))
    line = b"a line of a log that comes slowly\n"
    body = line * (MIB // len(line))
    with healthy(reporting), socket.create_connection((url.hostname, url.port or 0)) as connection:
        head = f"POST {url.path}/1 HTTP/1.1\r\nHost: hive\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode())
        step = len(body) // 50
        for start in range(0, len(body), step):
            connection.sendall(body[start : start + step])
            time.sleep(0.05)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 OK")
    assert newest_log(reporting) == body.decode()


@pytest.mark.long
def test_a_server_that_is_killed_while_reports_come_leaves_no_row_without_its_log(
    reporting: Installation,
) -> None:
    url = new_url(reporting, "laptop")
    over = threading.Event()

    def report() -> None:
        number = 0
        while not over.is_set():
            number += 1
            try:
                send(f"{url}/1", f"report {number}\n{secrets.token_hex(100_000)}\n".encode())
            except (OSError, http.client.HTTPException):
                return

    reporters = [threading.Thread(target=report) for _ in range(4)]
    for thread in reporters:
        thread.start()
    time.sleep(1)
    assert reporting.server is not None
    reporting.server.kill()
    reporting.wait()
    over.set()
    for thread in reporters:
        thread.join()
    reporting.start()
    assert newest_log(reporting).startswith("report ")
    with closing(sqlite3.connect(reporting.data / "hive.sqlite3")) as database:
        rows = database.execute("SELECT repository_id, log_file FROM run").fetchall()
    assert rows
    for repository_id, name in rows:
        path = reporting.data / "logs" / str(repository_id) / name
        assert gzip.decompress(path.read_bytes()).startswith(b"report ")
