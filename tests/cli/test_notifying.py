"""What the command line says of who would be notified, and of channels that fail."""

from __future__ import annotations

from typing import Any

from tests.cli.conftest import Run

HOOK = ("channel", "add", "hook", "--owner", "alice", "--kind", "webhook")
PRIVATE = "url=http://127.0.0.1:9/x"


def test_a_channel_that_cannot_be_reached_is_saved_and_shown_as_failing(
    run: Run, documents: dict[str, Any]
) -> None:
    added = run(*HOOK, "--set", PRIVATE)
    assert added.status == 0
    assert "Channel hook was added" in added.output
    assert "ERROR" not in added.messages
    assert "Warning: Nothing can be sent by this channel: " in added.messages
    assert "hive channel allow 127.0.0.1" in added.messages
    (listed,) = run("channel", "list", "--json").json
    assert listed["state"].startswith("failing since ")
    assert "private address" in listed["last_error"]
    shown = run("channel", "list")
    assert "failing since" in shown.output
    assert "private address" in shown.messages
    doctor = run("doctor", "--json").output
    assert "Nobody can be notified: the only channel fails." in doctor
    assert "documents would notify nobody" in doctor


def test_a_private_address_is_allowed_listed_and_revoked(
    run: Run, documents: dict[str, Any]
) -> None:
    run(*HOOK, "--set", PRIVATE)
    assert "from now on" in run("channel", "allow", "127.0.0.1").output
    (allowed,) = run("channel", "allowed", "--json").json
    assert (allowed["network"], allowed["allowed_by"]) == ("127.0.0.1/32", "operator")
    tried = run("channel", "test", "hook")
    assert tried.status == 1
    assert "private address" not in tried.messages  # nobody listens there
    assert run("channel", "allow", "127.0.0.1", "--end").status == 0
    assert run("channel", "allowed", "--json").json == []
    assert "private address" in run("channel", "test", "hook").messages
    assert run("channel", "allow", "everything").status == 1


def test_a_repository_says_whom_it_would_notify(run: Run, documents: dict[str, Any]) -> None:
    shown = run("repo", "show", "documents")
    assert "nobody: alice has no mail address and no channel" in shown.output
    found = run("repo", "show", "documents", "--json").json["would_notify"]
    assert found["people"] == []
    run("channel", "add", "far", "--owner", "alice", "--kind", "webhook", "--set",
        "url=https://192.0.2.1/x")  # fmt: skip
    found = run("repo", "show", "documents", "--json").json["would_notify"]
    assert found["words"].startswith(("nobody: far of alice fails", "alice by webhook"))


def test_disabling_a_user_says_what_depends_on_them_and_does_it(
    run: Run, documents: dict[str, Any]
) -> None:
    result = run("user", "set", "alice", "--disable", "--json")
    assert result.status == 0
    assert result.json["enabled"] is False
    assert "Warning: alice owns 1 repository: documents." in result.messages
    assert "Its alarms go to the administrators." in result.messages
    assert "Warning" not in run("user", "set", "alice", "--disable").messages
    shown = run("repo", "show", "documents").output
    assert "its owner alice is disabled" in shown


def test_maintenance_is_announced_shown_and_ended(run: Run, documents: dict[str, Any]) -> None:
    assert run("maintenance", "--json").json["until"] is None
    begun = run("maintenance", "--for", "4h", "--json").json
    assert begun["by"] == "operator"
    assert run("maintenance", "--json").json == begun
    assert run("maintenance", "--for", "30d").status == 1
    assert run("maintenance", "--end").status == 0
    assert run("maintenance", "--end").status == 1


def test_a_saved_rule_says_what_it_would_have_sent(run: Run, documents: dict[str, Any]) -> None:
    run(*HOOK, "--set", PRIVATE)
    made = run("rule", "add", "typo", "--user", "alice", "--channel", "hook", "--tag", "sever")
    assert made.status == 0
    assert "Warning: no repository has the tag sever" in made.messages
    assert "In the last 30 days the rule typo would have sent 0 of 0" in made.messages
    changed = run("rule", "set", "typo", "--tag", "", "--json").json
    assert changed["preview"]["tag_without_repository"] is None


def test_what_no_rule_matches_is_a_preference(run: Run, documents: dict[str, Any]) -> None:
    assert run("user", "preferences", "alice", "--json").json["rest"] == "all"
    given = ("--rest", "nothing", "--not-told-of-critical", "--json")
    changed = run("user", "preferences", "alice", *given).json
    assert (changed["rest"], changed["is_told_of_critical"]) == ("nothing", False)
