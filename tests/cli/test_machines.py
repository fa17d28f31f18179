"""Machines and the replacement of keys on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests import factories
from tests.cli.conftest import Run


def test_one_command_adds_key_and_repository(run: Run, key_file: Path) -> None:
    run("user", "add", "alice")
    made = run(
        *("machine", "add", "laptop", "--owner", "alice", "--key", key_file, "--json"),
        *("--cron", "0 3 * * *", "--timezone", "Europe/Berlin", "--quota", "2TB", "--tag", "home"),
    ).json
    assert (made["name"], made["owner"], made["quota_bytes"]) == ("laptop", "alice", 2 * 10**12)
    assert [(key["name"], key["access"]) for key in made["keys"]] == [("laptop", "append-only")]
    assert made["tags"] == ["home"]
    (key,) = run("key", "list", "--json").json
    assert key["comment"] == "alice@laptop"


def test_a_stored_key_may_open_it_and_nothing_is_half_done(
    run: Run, documents: dict[str, Any], key_file: Path
) -> None:
    add = ("machine", "add", "desktop", "--owner", "alice", "--stored-key", "laptop")
    shown = run(*add, "--access", "full")
    assert shown.status == 0
    assert "borg init" in shown.output
    refused = run("machine", "add", "desktop", "--owner", "alice", "--key", key_file)
    assert refused.status == 1
    assert "of this owner already" in refused.messages
    both = run(*add, "--key", key_file)
    assert (both.status, "not both" in both.messages) == (1, True)
    assert len(run("repo", "list", "--json").json) == 2


def test_a_key_is_replaced_by_one_from_a_file_or_from_standard_input(
    run: Run, documents: dict[str, Any]
) -> None:
    first = run("key", "show", "laptop", "--json").json["fingerprint"]
    done = run("key", "replace", "laptop", "-", given=factories.key_line())
    assert done.status == 0
    assert "Repositories that it has taken over: 1." in done.output
    second = run("key", "show", "laptop", "--json").json
    assert second["fingerprint"] != first
    assert [use["name"] for use in second["repositories"]] == ["documents"]
    former = run("key", "show", first, "--json").json
    assert (former["enabled"], former["repositories"]) == (False, [])
    run("key", "replace", "laptop", "-", "--delete", given=factories.key_line())
    prints = {key["fingerprint"] for key in run("key", "list", "--json").json}
    assert first in prints
    assert second["fingerprint"] not in prints
    same = run("key", "replace", "laptop", "-", given=factories.key_line("rsa1024"))
    assert same.status == 1
