from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run


@pytest.fixture
def wake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIVE_TRIGGERS__COMMANDS", '{"wake": ["/bin/echo", "woken"]}')
    monkeypatch.setenv("HIVE_TRIGGERS__COMMAND_USER", tmp_path.owner())


def test_a_command_is_attached_pressed_and_shown(
    documents: dict[str, Any], run: Run, wake: None
) -> None:
    added = run(
        *("trigger", "add", "wake it", "--repo", "documents", "--kind", "command"),
        *("--set", "command=wake", "--cron", "0 3 * * *", "--timezone", "Europe/Berlin"),
        *("--when-late", "--json"),
    )
    assert added.status == 0, added.messages
    assert added.json["settings"] == {"command": "wake"}
    assert added.json["when_late"] is True
    assert added.json["next_at"].endswith("00:00Z")
    pressed = run("trigger", "run", "wake it")
    assert pressed.status == 0, pressed.messages
    assert "command: succeeded. woken" in pressed.output
    shown = run("trigger", "show", "documents/wake it", "--json").json
    assert [one["state"] for one in shown["runs"]] == ["succeeded"]
    assert shown["last_run"]["message"] == "woken"
    assert "wake it" in run("trigger", "list", "--repo", "documents").output
    assert run("trigger", "set", "wake it", "--cron", "", "--disable").status == 0
    assert run("trigger", "show", "wake it", "--json").json["next_at"] is None
    assert run("trigger", "delete", "wake it").status == 0
    assert run("trigger", "list", "--json").json == []


def test_a_secret_comes_by_standard_input_and_never_back(
    documents: dict[str, Any], run: Run
) -> None:
    added = run(
        *("trigger", "add", "awx", "--repo", "documents", "--kind", "awx"),
        *("--set", "url=https://awx.example.org", "--set", "template=7"),
        *("--secret-stdin", "token"),
        given="t0ps3cret\n",
    )
    assert added.status == 0, added.messages
    shown = run("trigger", "show", "awx", "--json")
    assert shown.json["settings"]["token"] == "••••"
    listed = run("trigger", "list")
    assert "t0ps3cret" not in "".join((added.output, shown.output, listed.output))


def test_what_is_wrong_is_said(documents: dict[str, Any], run: Run) -> None:
    add = ("trigger", "add", "x", "--repo", "documents", "--kind")
    unknown = run(*add, "command", "--set", "command=rm")
    assert unknown.status == 1
    assert "[triggers.commands]" in unknown.messages
    assert run(*add, "webhook", "--set", "nonsense").status == 2
    assert run(*add, "webhook", "--set", "url=https://x.example", "--timezone", "UTC").status == 2
    failing = run(*add, "webhook", "--set", "url=http://127.0.0.1:9/x")
    assert failing.status == 0
    pressed = run("trigger", "run", "x")
    assert pressed.status == 1
    assert "allowed_networks" in pressed.messages
