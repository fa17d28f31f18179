from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hive.cli.main import main as cli
from hive.config.settings import Settings
from tests import factories

Run = Callable[..., "Result"]


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    status: int
    output: str
    messages: str

    @property
    def json(self) -> Any:
        return json.loads(self.output)


@pytest.fixture
def run(settings: Settings) -> Run:
    """Run a command in this process: run("repo", "list") -> Result."""

    def call(*arguments: str | int | Path, given: str | None = None) -> Result:
        done = CliRunner().invoke(
            cli,
            ["--data-dir", str(settings.paths.data_dir), *map(str, arguments)],
            input=given,
            prog_name="hive",
            env={"HIVE_SSH__LISTEN": "127.0.0.1:0", "HIVE_WEB__LISTEN": "127.0.0.1:0"},
        )
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Result(done.exit_code, done.stdout, done.stderr)

    return call


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "laptop.pub"
    path.write_text(factories.key_line(comment="alice@laptop") + "\n")
    return path


@pytest.fixture
def documents(run: Run, key_file: Path) -> dict[str, Any]:
    """Alice, her key `laptop` and her repository `documents`, made by commands."""
    for arguments in (
        ("user", "add", "alice"),
        ("user", "add", "bob"),
        ("group", "add", "team", "--member", "alice", "--member", "bob"),
        ("key", "add", "laptop", key_file, "--owner", "alice"),
    ):
        assert run(*arguments).status == 0
    made: dict[str, Any] = run(
        "repo", "add", "documents", "--owner", "alice", "--key", "laptop", "--json"
    ).json
    return made
