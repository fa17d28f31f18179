"""Many machines at once on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests import factories
from tests.cli.conftest import Run


def make_three(run: Run) -> None:
    for owner in ("alice", "bob"):
        run("user", "add", owner)
    for name, owner in (("one", "alice"), ("two", "alice"), ("three", "bob")):
        run("repo", "add", name, "--owner", owner, "--tag", "old")


def test_many_are_previewed_changed_and_filtered(run: Run) -> None:
    make_three(run)
    change = (
        *("repo", "set-many", "--of-owner", "alice", "--tag", "night", "--untag", "old"),
        *("--cron", "0 3 * * *", "--timezone", "Europe/Berlin", "--quota", "1TB"),
    )
    shown = run(*change, "--dry-run")
    assert "2 of 2 repositories would be changed, 0 refused." in shown.messages
    lines = [" ".join(line.split()) for line in shown.output.splitlines()]
    assert "one quota - 1.00 TB" in lines
    assert "two tags old night" in lines
    assert run("repo", "list", "--tag", "night", "--json").json == []
    assert "2 of 2 repositories were changed" in run(*change).messages
    found = run("repo", "list", "--tag", "night", "--json").json
    assert sorted(one["name"] for one in found) == ["one", "two"]
    assert {one["quota_bytes"] for one in found} == {10**12}
    again = run(*change)
    assert "0 of 2 repositories were changed, 0 refused." in again.messages


def test_what_is_refused_is_named_and_the_rest_is_done(run: Run) -> None:
    make_three(run)
    run("repo", "add", "one", "--owner", "bob")
    done = run("repo", "set-many", "alice/one", "two", "--owner", "bob")
    assert done.status == 1
    assert "1 of 2 repositories were changed, 1 refused." in done.messages
    assert "of this owner already" in done.output
    assert run("repo", "show", "two", "--json").json["owner"] == "bob"


def test_which_repositories_must_be_said_in_one_way(run: Run) -> None:
    make_three(run)
    for words in ((), ("one", "--all"), ("--all", "--with-tag", "old")):
        assert run("repo", "set-many", *words, "--resume").status == 2
    assert "Say what is to change." in run("repo", "set-many", "--all").messages
    assert "No matching" in run("repo", "set-many", "--with-tag", "x", "--resume").messages
    (first, *_) = run("repo", "set-many", "--all", "--pause", "3d", "--dry-run", "--json").json
    assert [one["what"] for one in first["changes"]] == ["paused until"]


def test_machines_come_from_a_file_all_or_none(run: Run, tmp_path: Path) -> None:
    run("user", "add", "alice")
    file = tmp_path / "machines.csv"
    file.write_text(f"name,owner,key,schedule\nweb1,alice,{factories.key_line()},03:00\nb,bob,,\n")
    refused = run("machine", "import", file)
    assert refused.status == 1
    assert "line 3, owner: There is no user 'bob'." in refused.messages
    assert run("repo", "list", "--json").json == []
    file.write_text(file.read_text().replace("bob", "alice"))
    assert "2 machines would be added" in run("machine", "import", file, "--dry-run").messages
    assert run("repo", "list", "--json").json == []
    assert "2 machines were added, 0 are" in run("machine", "import", file).messages
    again = run("machine", "import", "-", given=file.read_text())
    assert "0 machines were added, 2 are there already." in again.messages
    assert len(run("repo", "list", "--json").json) == 2


def test_a_repository_moves_to_another_location(
    run: Run, documents: dict[str, Any], tmp_path: Path
) -> None:
    run("location", "add", "attic", "--host", "attic.example.org", "--root", tmp_path / "attic")
    shown = run("repo", "move", "documents", "attic", "--dry-run")
    assert "get in as long as that name leads" in shown.output
    assert run("repo", "show", "documents", "--json").json["location"] == "default"
    done = run("repo", "move", "documents", "attic")
    assert "documents is at attic now" in done.output
    moved = run("repo", "show", "documents", "--json").json
    assert moved["location"] == "attic"
    assert moved["path"].startswith(str(tmp_path / "attic"))
    assert run("repo", "move", "documents", "attic").status == 1
    assert run("repo", "move", "documents").status == 2
    assert run("repo", "move", "documents", "--cancel").status == 1
