"""Commands that change what the running server counts and seals with."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request

import pytest

from tests.e2e.installation import Installation

PASSWORD, NEW = "correct horse battery", "a new and better password"
TOKEN = "tk_very-secret-token"


def _log_in(installation: Installation, password: str) -> int:
    """The status of a login as alice."""
    form = urllib.parse.urlencode({"name": "alice", "password": password}).encode()
    headers = {"Origin": installation.web_url, "Sec-Fetch-Site": "same-origin"}
    request = urllib.request.Request(f"{installation.web_url}/login", form, headers)  # noqa: S310 - our own

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.long
def test_commands_open_what_wrong_passwords_closed(installation: Installation) -> None:
    installation.start(expect_setup=True)
    installation.hive("user", "add", "alice", "--password-stdin", data=PASSWORD)
    assert [_log_in(installation, "wrong wrong") for _ in range(21)] == [401] * 20 + [403]
    assert _log_in(installation, PASSWORD) == 403
    installation.hive("user", "unlock", "alice")
    assert _log_in(installation, PASSWORD) == 303
    assert [_log_in(installation, "wrong wrong") for _ in range(21)] == [401] * 20 + [403]
    installation.hive("user", "password", "alice", "--password-stdin", data=NEW)
    assert _log_in(installation, NEW) == 303


@pytest.mark.long
def test_the_key_is_rotated_while_the_server_runs(installation: Installation) -> None:
    installation.start(expect_setup=True)
    installation.hive("user", "add", "alice", "--password-stdin", data=PASSWORD)
    options = ["--set", "server=https://ntfy.example.org", "--set", "topic=backups"]
    installation.hive(
        "channel", "add", "phone", "--owner", "alice", "--kind", "ntfy", *options,
        "--secret-stdin", "token", data=TOKEN,
    )  # fmt: skip
    key_file = installation.data / "secret"
    former = key_file.read_text()
    found = json.loads(installation.hive("secrets", "rotate", "--json"))
    assert found["secrets"] == 1
    assert key_file.read_text() != former
    content = b"".join(one.read_bytes() for one in installation.data.glob("hive.sqlite3*"))
    assert TOKEN.encode() not in content
    shown = installation.json("channel", "show", "phone")
    assert re.fullmatch("•+", shown["settings"]["token"])
    assert installation.stop() == 0
    key_file.rename(installation.directory / "kept")
    installation.start(expect_setup=True)  # without its key too
    assert "is missing" in installation.log
    assert "cannot be opened" in installation.json("channel", "show", "phone")["description"]
    doctor = installation.try_hive("doctor")
    assert "is missing" in doctor.stdout + doctor.stderr
    (installation.directory / "kept").rename(key_file)
    assert re.fullmatch("•+", installation.json("channel", "show", "phone")["settings"]["token"])
