"""Everything at once for a while: what clients and browsers do is no error of the server's."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import msgpack
import pytest

from tests.e2e.gate.files import noise
from tests.e2e.gate.transfers import make_repository
from tests.e2e.installation import Installation
from tests.e2e.test_web_crowd import PASSWORD, _log_in, _port
from tests.programs import borg_command, rsync_command

SHORT, LONG = 40, 600  # seconds
SSH = shutil.which("ssh") or "/usr/bin/ssh"
HELLO: bytes = msgpack.packb((1, 1, b"negotiate", ({b"client_version": (1, 4, 5)},)))

Act = Callable[[random.Random], None]


class Scene:
    """A server, and the clients that use it until the time is up."""

    def __init__(self, installation: Installation, directory: Path) -> None:
        self.installation = installation
        self.directory = directory
        self.cookie = _log_in(installation, "alice")
        self.urls = {name: self._show(name)["url"] for name in ("one", "two", "arrival")}
        self.ids = {name: self._show(name)["id"] for name in ("one", "two", "arrival")}
        self.done: dict[str, int] = {}
        token = installation.json("repo", "ping-token", "add", "one", "job")["token"]
        self.ping = f"/ping/{token}"

    def _show(self, name: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.installation.json("repo", "show", name)
        return shown

    def run(self, acts: Sequence[Act], seconds: float) -> None:
        """Do all of these again and again, each on its own, until the time is up."""
        until = time.monotonic() + seconds
        with ThreadPoolExecutor(len(acts)) as pool:
            for running in [pool.submit(self._repeat, act, until) for act in acts]:
                running.result()

    def _repeat(self, act: Act, until: float) -> None:
        """At least once; whatever fails here is the client's matter."""
        chance = random.Random(act.__name__)  # noqa: S311 - any dice will do
        while True:
            with suppress(OSError, subprocess.TimeoutExpired):
                act(chance)
                self.done[act.__name__] = self.done.get(act.__name__, 0) + 1
            if time.monotonic() > until:
                return

    def _ssh(self, login: str, *words: str, data: bytes = b"") -> None:
        options = self.installation.client_environment()["BORG_RSH"].split()[1:]
        target = ["-p", str(self.installation.ssh_port), f"{login}@127.0.0.1"]
        subprocess.run(
            [SSH, *options, *target, *words],
            input=data,
            capture_output=True,
            timeout=120,
            check=False,
        )

    def _login(self, name: str) -> str:
        url: str = self.urls[name]
        return url.removeprefix("ssh://").partition("@")[0]

    def _borg(self, *words: str) -> None:
        subprocess.run(
            [borg_command("1.4"), *words],
            cwd=self.directory / "source",
            env=self.installation.client_environment(),
            capture_output=True,
            timeout=120,
            check=False,
        )

    def backups(self, chance: random.Random) -> None:
        self._borg("create", "--lock-wait", "20", f"{self.urls['one']}::a{time.time_ns()}", ".")
        self._borg("prune", "--lock-wait", "20", "--keep-last", "3", self.urls["one"])
        if chance.random() < 0.5:
            self._borg("compact", "--lock-wait", "5", self.urls["one"])
        self._borg("list", "--lock-wait", "1", self.urls["one"])

    def killed_backups(self, chance: random.Random) -> None:
        words = ("create", "-c", "1", "--upload-ratelimit", "3000")
        process = self.installation.start_borg(
            *words, f"{self.urls['two']}::b{time.time_ns()}", ".", cwd=self.directory / "source"
        )
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.1, 4))
        with suppress(ProcessLookupError):
            if chance.random() < 0.5:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()  # and its ssh lives a little longer
        process.wait()

    def shells(self, chance: random.Random) -> None:
        login = self._login(chance.choice(("one", "two", "arrival")))
        self._ssh(login, "status")
        self._ssh(login, "borg", "serve", data=HELLO[: chance.randrange(len(HELLO) + 1)])
        self._ssh(login, "cat", "/etc/passwd")

    def transfers(self, chance: random.Random) -> None:
        target = f"{self._login('arrival')}@127.0.0.1:"
        words = ["-a", f"--bwlimit={chance.choice((500, 100_000))}"]
        shell = (
            f"{self.installation.client_environment()['BORG_RSH']} -p {self.installation.ssh_port}"
        )
        process = subprocess.Popen(
            [rsync_command(), *words, "-e", shell, f"{self.directory / 'arrival'}/", target],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(1, 4))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def pages(self, chance: random.Random) -> None:
        for path in ("/", f"/repositories/{self.ids[chance.choice(list(self.ids))]}", "/sessions"):
            connection = HTTPConnection("127.0.0.1", _port(self.installation), timeout=20)
            connection.request("GET", path, headers={"Cookie": self.cookie})
            answer = connection.getresponse()
            answer.read()
            connection.close()
            assert answer.status < 500, path

    def left_streams(self, chance: random.Random) -> None:
        request = f"GET /live HTTP/1.1\r\nHost: x\r\nCookie: {self.cookie}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", _port(self.installation)), 5) as stream:
            stream.sendall(request)
            time.sleep(chance.choice((0, 0, 0.001, 0.003, 0.006, 0.3)))
            if chance.random() < 0.5:  # reset, not closed
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        time.sleep(0.02)

    def pings(self, chance: random.Random) -> None:
        connection = HTTPConnection("127.0.0.1", _port(self.installation), timeout=20)
        path = self.ping + chance.choice(("", "/start", "/fail", "/0", "/log", "/2"))
        connection.request("POST", path, b"said\n" * chance.choice((0, 1, 4000)))
        connection.getresponse().read()
        connection.close()
        time.sleep(1)

    def upkeep(self, chance: random.Random) -> None:
        with suppress(subprocess.TimeoutExpired):  # it waits for sessions, of which there are many
            self.installation.try_hive("repo", chance.choice(("check", "compact")), "one")
        self.installation.try_hive("session", "list", "--json")


@pytest.fixture
def busy(installation: Installation, tmp_path: Path) -> Installation:
    installation.environment["HIVE_SERVER__LOG_FORMAT"] = "json"
    installation.start(expect_setup=True)
    installation.client_environment()
    words = ("--owner", "alice", "--key", "laptop", "--mode")
    installation.hive_all(
        ["location", "set", "default", "--host", "127.0.0.1"],
        ["user", "add", "alice", "--admin", "--password-stdin"],
        ["key", "add", "laptop", "--owner", "alice", tmp_path / "id.pub"],
        *(["repo", "add", name, *words, "borg"] for name in ("one", "two")),
        ["repo", "add", "arrival", *words, "import"],
        data=PASSWORD,
    )
    source = tmp_path / "source"
    source.mkdir()
    for number in range(4):
        (source / str(number)).write_bytes(noise(4_000_000, seed=number))
    for name in ("one", "two"):
        url = installation.json("repo", "show", name)["url"]
        installation.borg("init", "-e", "none", url)
    (tmp_path / "made").mkdir()
    shutil.copytree(make_repository(tmp_path / "made"), tmp_path / "arrival")
    return installation


@pytest.mark.long
@pytest.mark.parametrize(
    "seconds",
    [SHORT, pytest.param(LONG, marks=pytest.mark.timeout(3 * LONG))],
    ids=["short", "long"],
)
def test_what_clients_and_browsers_do_is_no_error_of_the_server(
    busy: Installation, tmp_path: Path, seconds: int
) -> None:
    scene = Scene(busy, tmp_path)
    acts = [
        *(scene.backups, scene.killed_backups, scene.shells, scene.transfers),
        *(scene.pages, scene.left_streams, scene.left_streams, scene.pings, scene.upkeep),
    ]
    scene.run(acts, seconds)
    assert set(scene.done) == {act.__name__ for act in acts}, scene.done
    assert busy.stop() == 0
    lines = [json.loads(line) for line in busy.log.splitlines() if line.startswith("{")]
    assert lines, busy.log[-2000:]
    bad = [line for line in lines if line["level"] in ("error", "critical")]
    assert bad == [], scene.done
    assert "Traceback" not in busy.log
    sessions = busy.json("session", "list", "--repo", "two", "--limit", "1000")
    shown = ("operation", "end_reason", "archive_created", "error", "bytes_in", "bytes_out")
    wrong = [one for one in sessions if one["end_reason"] is None or one["operation"] == "unknown"]
    assert [[one[name] for name in shown] for one in wrong] == []
    # archives are not encrypted: what was told of each is what is there
    told = [one for one in sessions if one["archive_created"] == "yes"]
    listed = busy.borg(
        *("list", "--short", busy.json("repo", "show", "two")["path"]),
        BORG_RELOCATED_REPO_ACCESS_IS_OK="yes",
        BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK="yes",
    )
    complete = [name for name in listed.split() if not name.endswith(".checkpoint")]
    assert len(told) == len([name for name in complete if name.startswith("b")])
