from __future__ import annotations

from typing import Any

from tests.cli.conftest import Run

HOOK = ("channel", "add", "hook", "--owner", "alice", "--kind", "webhook")
URL = "https://hooks.example.org/services/verysecretpath"


def test_a_channel_is_made_shown_changed_shared_and_deleted(
    run: Run, documents: dict[str, Any]
) -> None:
    made = run(*HOOK, "--secret-stdin", "url", "--json", given=URL + "\n").json
    assert (made["name"], made["owner"], made["kind"]) == ("hook", "alice", "webhook")
    assert "verysecretpath" not in run("channel", "show", "hook").output
    assert "verysecretpath" not in run("channel", "list", "--json").output
    changed = run("channel", "set", "hook", "--set", "method=PUT", "--disable", "--json").json
    assert (changed["settings"]["method"], changed["enabled"]) == ("PUT", False)
    assert run("channel", "share", "hook", "team").status == 0
    assert run("channel", "show", "hook", "--json").json["groups"] == ["team"]
    assert run("channel", "delete", "hook").status == 0
    assert run("channel", "list", "--json").json == []


def test_a_setting_that_is_wrong_is_said(run: Run, documents: dict[str, Any]) -> None:
    result = run("channel", "add", "x", "--owner", "alice", "--kind", "email", "--set", "address=x")
    assert result.status == 1
    assert "Address" in result.messages
    assert "KEY=VALUE" in run(*HOOK, "--set", "url").messages
    unknown = run("channel", "add", "x", "--owner", "alice", "--kind", "smoke")
    assert unknown.status == 1
    assert "webhook" in unknown.messages


def test_a_test_that_fails_says_what_the_far_end_answered(
    run: Run, documents: dict[str, Any]
) -> None:
    run(*HOOK, "--set", "url=http://127.0.0.1:9/")
    result = run("channel", "test", "hook")
    assert result.status == 1
    assert "allowed_networks" in result.messages


def test_rules_are_made_listed_changed_and_deleted(run: Run, documents: dict[str, Any]) -> None:
    run(*HOOK, "--set", f"url={URL}")
    made = run(
        *("rule", "add", "nights", "--user", "alice", "--channel", "hook", "--kind", "down"),
        *("--repo", "documents", "--quiet", "22:00-7:00", "--json"),
    ).json
    assert (made["kinds"], made["repository"], made["quiet"]) == (
        ["down"],
        "documents",
        "22:00-07:00",
    )
    changed = run(
        *("rule", "set", "nights", "--quiet", "", "--kind", "", "--repo", "", "--json")
    ).json
    assert (changed["kinds"], changed["repository"], changed["quiet"]) == ([], None, None)
    assert changed["channels"] == ["hook"]
    refused = run("channel", "delete", "hook")
    assert refused.status == 1
    assert "nights" in refused.messages
    assert "nights" in run("rule", "list", "--user", "alice").output
    assert run("rule", "delete", "nights").status == 0
    assert run("rule", "list", "--json").json == []
    wrong = run(
        *("rule", "add", "x", "--user", "alice", "--channel", "hook", "--quiet", "at night")
    )
    assert "22:00-07:00" in wrong.messages


def test_preferences_are_shown_and_changed(run: Run, documents: dict[str, Any]) -> None:
    shown = run("user", "preferences", "alice", "--json").json
    assert (shown["reminder_hours"], shown["digest"]) == (12, "weekly")
    changed = run(
        *("user", "preferences", "alice", "--reminder-hours", 6, "--digest", "daily"),
        *("--digest-weekday", "sunday", "--not-told-of-shared", "--json"),
    ).json
    assert changed == {
        **shown,
        "reminder_hours": 6,
        "digest": "daily",
        "digest_weekday": 6,
        "is_told_of_shared": False,
    }
    wrong = run("user", "preferences", "alice", "--reminder-hours", 49)
    assert wrong.status == 1
    assert "1 to 48" in wrong.messages


def test_what_was_told_and_what_is_dead_is_listed(run: Run, documents: dict[str, Any]) -> None:
    assert run("notification", "list", "--user", "alice", "--json").json == []
    assert run("delivery", "list", "--dead", "--json").json == []
    missing = run("delivery", "repeat", 7)
    assert missing.status == 1
    assert "There is no delivery 7." in missing.messages
