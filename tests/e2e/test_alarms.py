"""A deletion by an append-only key, told everywhere until a person answers; with a real borg."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.installation import Installation
from tests.e2e.receiver import Receiver
from tests.factories import PASSWORD

SECONDS = 20.0
LINE = "Key laptop deleted 9"


@pytest.mark.long
def test_a_deletion_is_critical_everywhere_until_somebody_answers(
    installation: Installation, chromium: Browser, receiver: Receiver, tmp_path: Path
) -> None:
    installation.environment = {
        **installation.environment,
        "HIVE_NOTIFICATIONS__ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    url = _back_up(installation, tmp_path)
    where = ("--set", f"url={receiver.url}/", "--set", "method=POST")
    installation.hive("channel", "add", "hook", "--owner", "root", "--kind", "webhook", *where)
    page = _log_in(installation, chromium)
    expect(page.locator("#chip-fine")).to_contain_text("1 fine")
    assert installation.json("status")["fine"] is True

    installation.borg("delete", f"{url}::large")

    alarm = _wait_for_alarm(installation)
    _is_told_by_commands(installation, alarm)
    _is_shown(page, installation)

    page.get_by_role("button", name="It was me: documents").first.click()
    expect(page.get_by_text("The alarm is answered")).to_be_visible()
    page.goto(f"{installation.web_url}/")
    expect(page.locator("#chip-fine")).to_contain_text("1 fine")
    expect(page).to_have_title(re.compile(r"^Repositories "))
    shown = installation.json("repo", "show", "documents")
    assert (shown["health"], shown["alarms"]) == ("fine", [])
    assert installation.hive("status") == "1 repository: 1 fine.\n"
    past = installation.json("alarm", "list", "--answered")
    assert {one["answered_by"] for one in past} == {"root"}
    told = [one["message"] for one in installation.json("event", "list")]
    assert any(message.startswith("root has answered: ") for message in told)


def _back_up(installation: Installation, tmp_path: Path) -> str:
    """Two archives by a key that may only append, one of them most of the data; the URL."""
    installation.start(expect_setup=True)
    installation.client_environment()
    *_, shown = installation.hive_all(
        ["location", "set", "default", "--host", "127.0.0.1"],
        ["user", "add", "root", "--admin", "--password-stdin"],
        ["key", "add", "laptop", "--owner", "root", tmp_path / "id.pub"],
        ["repo", "add", "documents", "--owner", "root", "--key", "laptop"],
        ["repo", "show", "documents", "--json"],
        data=f"{PASSWORD}\n",
    )
    url: str = json.loads(shown)["url"]
    installation.borg("init", "-e", "repokey-blake2", url)
    installation.hive("repo", "set", "documents", "--append-only-key", "laptop")
    for name, size in (("large", 9_100_000), ("small", 900_000)):
        source = tmp_path / name
        source.mkdir()
        (source / "file").write_bytes(os.urandom(size))
        installation.borg("create", f"{url}::{name}", ".", cwd=source)
    return url


def _log_in(installation: Installation, chromium: Browser) -> Page:
    page = chromium.new_context(locale="en-GB").new_page()
    page.set_default_timeout(SECONDS * 1000)
    page.goto(f"{installation.web_url}/")
    page.get_by_label("Name", exact=True).fill("root")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    return page


def _wait_for_alarm(installation: Installation) -> dict[str, Any]:
    """The alarm about the deletion, as soon as the session was measured."""
    deadline = time.monotonic() + SECONDS
    while True:
        alarms = installation.json("repo", "show", "documents")["alarms"]
        kinds = {one["kind"]: one for one in alarms}
        if {"mass deletion", "deletion by an append-only key"} <= kinds.keys():
            found: dict[str, Any] = kinds["mass deletion"]
            return found
        assert time.monotonic() < deadline, alarms


def _is_told_by_commands(installation: Installation, alarm: dict[str, Any]) -> None:
    assert alarm["message"].startswith(LINE)
    shown = installation.json("repo", "show", "documents")
    assert (shown["health"], shown["health_reason"]) == ("critical", "91 % deleted")
    glance = installation.hive("status", status=1)
    assert glance.splitlines()[0] == "1 repository: 1 critical."
    assert LINE in glance
    assert all(len(line) <= 80 for line in glance.splitlines())
    found = json.loads(installation.hive("status", "--json", status=1))
    assert (found["fine"], found["counts"]["critical"]) == (False, 1)
    assert "\x1b[" in _on_a_terminal(installation)
    assert "\x1b[" not in glance


def _on_a_terminal(installation: Installation) -> str:
    """What `hive status` prints on a terminal."""
    command = [sys.executable, "-m", "hive", "--data-dir", str(installation.data), "status"]
    ours, theirs = pty.openpty()
    done = subprocess.run(command, stdout=theirs, stderr=theirs, timeout=SECONDS, check=False)
    os.close(theirs)
    text = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.returncode == 1, text
    return text


def _is_shown(page: Page, installation: Installation) -> None:
    """On the overview that was open all the time, and on the repository's page."""
    expect(page.locator("#chip-critical")).to_contain_text("1 critical")
    expect(page.locator("tr .state.bad")).to_contain_text("91 % deleted")
    expect(page.locator(".attention li.critical").first).to_contain_text(LINE)
    expect(page).to_have_title(re.compile(r"^\(2\) Repositories "))
    assert "favicon-bad" in (page.locator("link[rel=icon]").get_attribute("href") or "")
    page.locator("table.list").get_by_role("link", name="documents").click()
    expect(page.locator("#title .state.bad")).to_contain_text("91 % deleted")
    expect(page).to_have_title(re.compile(r"^\(!\) documents "))
    alarms = page.locator("#alarms section.alarm")
    expect(alarms).to_have_count(2)
    for name in ("Show session", "Roll back…"):
        expect(alarms.first.get_by_role("link", name=name)).to_be_visible()
    expect(alarms.first.get_by_role("button", name="Disable this key")).to_be_visible()
