"""`hive demo`: a real server with made-up data, which nobody can take for real."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

import pytest

SECONDS = 120
_READY = re.compile(r"ready ssh=127\.0\.0\.1:\d+ web=(http://127\.0\.0\.1:\d+)\n")
_LOGIN = re.compile(r"Demo data: .* log in as (\w+) with the password (\S+)\.\n")


def environment(temporary: Path, **more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(temporary), "TMPDIR": str(temporary), **more}


@dataclass
class Demo:
    """A running demo, and a browser that is logged in."""

    running: subprocess.Popen[str]
    temporary: Path
    url: str
    browser: OpenerDirector

    def get(self, path: str) -> str:
        text: str = self.browser.open(f"{self.url}{path}", timeout=SECONDS).read().decode()
        return text

    def post(self, path: str, **form: str) -> str:
        data, headers = urlencode(form).encode(), {"Origin": self.url}
        asked = Request(f"{self.url}{path}", data, headers)  # noqa: S310 - our own server
        text: str = self.browser.open(asked, timeout=SECONDS).read().decode()
        return text

    def hive(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command on the data directory of the demo."""
        (data,) = self.temporary.glob("hive-demo-*/data")
        return subprocess.run(
            [sys.executable, "-m", "hive", "--data-dir", data, *words],
            env=environment(self.temporary),
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """Started where the environment names a real server's directory, and a relay for its mail."""
    real = tmp_path / "real"
    real.mkdir()
    temporary = tmp_path / "tmp"
    temporary.mkdir(mode=0o711)
    given = {"HIVE_DATA_DIR": str(real), "HIVE_MAIL__HOST": "mail.example", "HIVE_SSH__LISTEN": "x"}
    command = [sys.executable, "-m", "hive", "demo", "--repositories", "40", "--days", "20"]
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(
            command,
            env=environment(temporary, **given),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as running,
    ):
        try:
            assert running.stdout is not None
            ready = _READY.fullmatch(running.stdout.readline())
            assert ready is not None, (tmp_path / "log").read_text()
            assert running.stdout.readline() == "\n"
            login = _LOGIN.fullmatch(running.stdout.readline())
            assert login is not None
            browser = build_opener(HTTPCookieProcessor(CookieJar()))
            made = Demo(running, temporary, ready[1], browser)
            made.post("/login", name=login[1], password=login[2])
            yield made
        finally:
            running.terminate()
    assert not list(real.iterdir())


@pytest.mark.long
def test_a_demo_is_marked_sends_nothing_and_leaves_nothing(demo: Demo) -> None:
    for path in ("/", "/repositories/1", "/events", "/notifications", "/admin", "/account"):
        page = demo.get(path)
        assert "<title>Demo data: " in page, path
        assert "everything here is made up" in page, path
    listed = demo.hive("repo", "list", "--json")
    assert (listed.returncode, listed.stdout.count('"login"')) == (0, 40)
    refused = demo.hive("channel", "test", "phone")
    assert (refused.returncode, "nothing is sent" in refused.stderr) == (1, True)
    demo.running.terminate()
    assert demo.running.wait(SECONDS) == 0
    assert not list(demo.temporary.iterdir())


def test_a_demo_takes_no_directory_that_is_there(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "file").write_text("mine")
    done = subprocess.run(
        [sys.executable, "-m", "hive", "--data-dir", there, "demo"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "exists: a demo needs a new directory" in done.stderr
    assert (there / "file").read_text() == "mine"
