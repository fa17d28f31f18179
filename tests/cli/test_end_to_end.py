"""The command line as a program of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import hive

CHECKOUT = Path(hive.__file__).parent.parent


def program(
    data: Path, *arguments: str | Path, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hive", *map(str, arguments)],
        env={"PATH": os.defpath, "HIVE_DATA_DIR": str(data), "PYTHONPATH": str(CHECKOUT)},
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.long
def test_from_nothing_to_a_repository_and_to_the_trash(tmp_path: Path, key_file: Path) -> None:
    data = tmp_path / "fresh"
    assert program(data, "user", "add", "alice", "--admin").returncode == 0
    added = program(data, "key", "add", "laptop", "--owner", "alice", key_file)
    assert (added.returncode, added.stderr) == (0, "")
    made = program(data, "repo", "add", "docs", "--owner", "alice", "--key", "laptop", "--json")
    repository = json.loads(made.stdout)
    assert repository["url"].startswith(f"ssh://{repository['login']}@")
    refused = program(data, "repo", "show", "nothing")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "There is no repository 'nothing'.\n"
    assert program(data, "repo", "delete", "docs", given="docs\n").returncode == 2
    assert program(data, "repo", "delete", "docs", "--yes").returncode == 0
    assert json.loads(program(data, "--json", "repo", "list").stdout) == []
    for path in (data, data / "run"):
        assert path.stat().st_mode & 0o066 == 0
    assert (data / "hive.sqlite3").stat().st_mode & 0o077 == 0


def test_help_and_version_need_no_data(tmp_path: Path) -> None:
    data = tmp_path / "none"
    assert "Usage: hive" in program(data, "--help").stdout
    assert "serve" in program(data, "--help").stdout
    assert hive.__version__ in program(data, "--version").stdout
    assert not data.exists()


def test_commands_start_without_ssh_and_http(tmp_path: Path) -> None:
    code = (
        "import sys, hive.__main__;"
        "print([name for name in ('asyncssh', 'aiohttp', 'jinja2') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.defpath, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
