"""hive repo rollback, on a repository that an administrator's borg has deleted from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import factories
from tests.cli.conftest import Run


@pytest.fixture
def path(documents: dict[str, Any], tmp_path: Path) -> Path:
    made = Path(documents["path"])
    base = tmp_path / "borg"
    factories.make_borg_repository(made, base)
    factories.borg("delete", f"{made}::first", base=base)
    return made


def test_it_lists_what_was_deleted_and_what_comes_back(run: Run, path: Path) -> None:
    shown = run("repo", "rollback", "documents")
    assert shown.status == 0
    assert shown.output.splitlines()[0].split()[:3] == ["SESSION", "TRANSACTION", "AT"]
    steps = run("repo", "rollback", "documents", "--json").json
    assert [step["is_current"] for step in steps] == [True, False, False]
    assert [step["possible"] for step in steps] == [False, True, True]
    assert steps[0]["deleted"]["objects"] == steps[1]["restores"]["objects"] > 0
    assert steps[1]["undoes"] == {"objects": 0, "size_bytes": 0}


def test_a_dry_run_checks_everything_and_changes_nothing(run: Run, path: Path) -> None:
    target = run("repo", "rollback", "documents", "--json").json[1]["transaction"]
    before = factories.tree(path)
    done = run("repo", "rollback", "documents", "--to", target, "--dry-run")
    assert done.status == 0
    assert "nothing was changed" in done.output
    assert factories.tree(path) == before


def test_it_goes_back_and_comes_back_as_it_was(run: Run, path: Path, tmp_path: Path) -> None:
    target = run("repo", "rollback", "documents", "--json").json[1]["transaction"]
    before = factories.tree(path)
    asked = run("repo", "rollback", "documents", "--to", target)
    assert asked.status == 2
    assert "--yes" in asked.messages
    assert factories.tree(path) == before
    done = run("repo", "rollback", "documents", "--to", f"transaction:{target}", "--yes", "--json")
    assert done.status == 0
    assert done.json["client_commands"][1].startswith("borg delete --cache-only ssh://")
    assert Path(done.json["trash"]).is_dir()
    listed = factories.borg("list", "--short", path, base=tmp_path / "fresh")
    assert listed.split() == ["first"]
    factories.borg("check", "--verify-data", path, base=tmp_path / "fresh")
    undone = run("repo", "rollback", "documents", "--undo", "--yes")
    assert undone.status == 0
    assert factories.tree(path) == before


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("4711", "has no session and no transaction"),
        ("yesterday", "neither a session nor a transaction"),
        ("session:1", "has no session and no transaction"),
        ("archive:1", "neither a session nor a transaction"),
    ],
)
def test_what_is_not_there_cannot_be_gone_back_to(
    run: Run, path: Path, reference: str, words: str
) -> None:
    done = run("repo", "rollback", "documents", "--to", reference, "--yes")
    assert done.status != 0
    assert words in done.messages


def test_the_present_state_and_no_repository_say_so(
    run: Run, documents: dict[str, Any], path: Path
) -> None:
    current = run("repo", "rollback", "documents", "--json").json[0]["transaction"]
    done = run("repo", "rollback", "documents", "--to", current, "--yes")
    assert "already" in done.messages
    run("repo", "add", "empty", "--owner", "alice", "--key", "laptop")
    assert "nothing to roll back" in run("repo", "rollback", "empty").messages
    assert "no rollback" in run("repo", "rollback", "documents", "--undo", "--yes").messages
