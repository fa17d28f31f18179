from __future__ import annotations

import re

from tests.cli.conftest import Run


def test_a_link_for_a_new_password_is_printed(run: Run) -> None:
    run("user", "add", "alice")
    shown = run("user", "reset-link", "alice")
    assert shown.status == 0
    assert re.fullmatch(r"http://127\.0\.0\.1:0/reset/[\w-]{43}\n", shown.output)
    document = run("user", "reset-link", "alice", "--json").json
    assert sorted(document) == ["expires_at", "url", "user"]
    run("user", "set", "alice", "--disable")
    refused = run("user", "reset-link", "alice")
    assert (refused.status, refused.output) == (1, "")
    assert "enable the account first" in refused.messages
    assert run("user", "reset-link", "nobody").status == 1


def test_a_second_factor_is_shown_and_switched_off(run: Run) -> None:
    run("user", "add", "alice")
    expected = {"user": "alice", "second_factor": False, "authenticator_app": False}
    expected |= {"passkeys": 0, "recovery_codes": 0}
    assert run("user", "second-factor", "alice", "--json").json == expected
    done = run("user", "second-factor", "alice", "--off")
    assert (done.status, done.output) == (0, "The second factor of alice was turned off.\n")
    assert run("user", "second-factor", "nobody", "--off").status == 1
