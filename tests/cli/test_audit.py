"""hive audit list: who changed what, with the former values and who was root."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import Run


def test_each_change_is_listed_with_the_former_and_the_new_value(
    run: Run, documents: dict[str, Any]
) -> None:
    assert run("repo", "set", "documents", "--quota", "2TB", "--name", "papers").status == 0
    assert run("repo", "set", "papers", "--owner", "bob").status == 0
    given, renamed = run("audit", "list", "--action", "repository.set", "--json").json
    assert given["details"] == {"owner": {"from": "alice", "to": "bob"}}
    assert renamed["details"] == {
        "name": {"from": "documents", "to": "papers"},
        "quota_bytes": {"from": None, "to": 2 * 10**12},
    }
    assert (given["actor"], given["behind"], given["source"]) == ("operator", None, "cli")
    shown = run("audit", "list", "--action", "repository.set", "--wide").output
    assert "owner: alice -> bob" in shown


def test_who_was_root_by_sudo_is_recorded_and_can_be_asked_for(
    run: Run, documents: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "dan")
    assert run("key", "set", "laptop", "--disable").status == 0
    monkeypatch.setenv("SUDO_USER", "not a name\n")
    assert run("key", "set", "laptop", "--enable").status == 0
    (found,) = run("audit", "list", "--actor", "dan", "--json").json
    assert (found["actor"], found["behind"], found["action"]) == ("operator", "dan", "key.set")
    assert found["details"]["enabled"] == {"from": True, "to": False}
    assert "operator (dan)" in run("audit", "list", "--actor", "dan").output
    newest = run("audit", "list", "--limit", "1", "--json").json[0]
    assert (newest["behind"], newest["details"]["enabled"]["to"]) == (None, True)


def test_the_list_is_narrowed_by_subject_and_time(run: Run, documents: dict[str, Any]) -> None:
    every = run("audit", "list", "--json").json
    of_documents = run("audit", "list", "--subject", "documents", "--json").json
    assert {one["action"] for one in of_documents} >= {"repository.add", "grant.set"}
    assert len(of_documents) < len(every)
    assert run("audit", "list", "--since", "1h", "--json").json == every
    assert run("audit", "list", "--until", "1h", "--json").json == []
    assert run("audit", "list", "--since", "2001-01-01", "--until", "2002-01-01").status == 0
    assert run("audit", "list", "--since", "soon").status == 2


def test_a_role_is_given_and_shown(run: Run) -> None:
    assert run("user", "add", "olga", "--role", "operator").status == 0
    assert run("user", "show", "olga", "--json").json["role"] == "operator"
    assert run("user", "set", "olga", "--admin").status == 0
    shown = run("user", "show", "olga", "--json").json
    assert (shown["role"], shown["admin"]) == ("administrator", True)
    assert run("user", "add", "audrey", "--role", "auditor").status == 0
    assert run("user", "set", "audrey", "--role", "member", "--admin").status == 2
    assert run("user", "set", "audrey", "--no-admin").status == 0
    assert run("user", "show", "audrey", "--json").json["role"] == "member"
