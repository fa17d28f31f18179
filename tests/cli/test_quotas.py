"""Quotas, staged imports and limits in a config, on the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests import factories
from tests.cli.conftest import Run


@pytest.fixture
def path(documents: dict[str, Any], tmp_path: Path) -> Path:
    """Of a real repository with something that does not get smaller."""
    made = Path(documents["path"])
    factories.make_borg_repository(made, tmp_path / "borg", content="x")
    (made / "data" / "0" / "9999").write_bytes(os.urandom(12_000_000))
    return made


@pytest.mark.long
def test_quotas_of_users_and_groups_are_set_shown_and_removed(
    run: Run, documents: dict[str, Any]
) -> None:
    for noun, name in (("user", "alice"), ("group", "team")):
        changed = run(noun, "set", name, "--quota", "5GB", "--json").json
        assert changed["quota_bytes"] == 5_000_000_000
        same = run(noun, "set", name, "--json").json
        assert same["quota_bytes"] == 5_000_000_000
    shown = run("user", "show", "alice", "--json").json
    assert (shown["quota_bytes"], shown["used_bytes"]) == (5_000_000_000, 0)
    found = run("repo", "show", "documents", "--json").json["quotas"]
    assert {(one["scope"], one["name"], one["used_up"]) for one in found} == {
        ("user", "alice", False),
        ("group", "team", False),
    }
    assert "group team: 0 B of 5.00 GB" in run("repo", "show", "documents").output
    for noun, name in (("user", "alice"), ("group", "team")):
        assert run(noun, "set", name, "--quota", "none", "--json").json["quota_bytes"] is None
    assert run("repo", "show", "documents", "--json").json["quotas"] == []


@pytest.mark.parametrize("noun", ["user", "group"])
def test_a_quota_that_is_too_small_is_refused(
    run: Run, documents: dict[str, Any], noun: str
) -> None:
    refused = run(noun, "set", {"user": "alice", "group": "team"}[noun], "--quota", "1MB")
    assert refused.status == 1
    assert "at least 10 MB" in refused.messages


def test_a_quota_below_what_is_used_warns(run: Run, path: Path) -> None:
    assert run("repo", "set", "documents", "--quota", "500MB").messages == ""
    run("job", "run", "measure the repositories")
    low = run("repo", "set", "documents", "--quota", "10MB")
    assert low.status == 0
    assert "Warning: 12." in low.messages
    assert "of the quota of repository documents, 10.00 MB, are used already" in low.messages
    assert "the quota of user alice" in run("user", "set", "alice", "--quota", "10MB").messages
    assert "the quota of group team" in run("group", "set", "team", "--quota", "10MB").messages
    assert "used up" in run("repo", "show", "documents").output


def test_a_staged_import_is_shown_and_discarded(run: Run, path: Path) -> None:
    staging = path.parent / ".import"
    staging.mkdir()
    (staging / "config").write_bytes(b"x" * 1000)
    shown = run("repo", "show", "documents", "--json").json["staged_import"]
    assert shown["size_bytes"] == 1000
    assert "discarded at" in run("repo", "show", "documents").output
    assert run("repo", "discard-import", "documents", "--json").json["discarded_bytes"] == 1000
    assert not staging.exists()
    assert (path / "config").exists()
    again = run("repo", "discard-import", "documents")
    assert (again.status, again.messages) == (1, "No import is staged for documents.\n")


def test_limits_in_the_config_are_shown_and_cleared(run: Run, path: Path) -> None:
    config = path / "config"
    former = config.read_text()
    limited = former.replace("append_only = 0", "append_only = 1")
    config.write_text(limited.replace("storage_quota = 0", "storage_quota = 20M"))
    shown = run("repo", "show", "documents", "--json").json["config_limits"]
    assert shown == {
        "append_only": True,
        "storage_quota": 20_000_000,
        "additional_free_space": None,
    }
    assert "storage_quota 20.00 MB" in run("repo", "show", "documents").output
    cleared = run("repo", "clear-config-limits", "documents", "--json").json["cleared"]
    assert cleared == ["append_only", "storage_quota 20.00 MB"]
    assert config.read_text() == former
    assert len(run("repo", "configs", "documents", "--json").json) == 2
    assert "has no limits" in run("repo", "clear-config-limits", "documents").output


def test_nobody_clears_limits_under_a_lock(run: Run, path: Path) -> None:
    config = path / "config"
    config.write_text(config.read_text().replace("append_only = 0", "append_only = 1"))
    before = config.read_text()
    (path / "lock.exclusive").mkdir()
    (path / "lock.exclusive" / "another@4711.1-0").touch()
    refused = run("repo", "clear-config-limits", "documents")
    assert refused.status == 1
    assert "is locked" in refused.messages
    assert config.read_text() == before
