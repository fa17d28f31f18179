"""What commands say to people: first what matters, in words, and what to do next."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hive import clock
from hive.config.settings import Settings
from tests.cli.conftest import Run
from tests.cli.terminals import at_terminal

START = datetime(2026, 11, 20, 3, 12, tzinfo=UTC)


@pytest.fixture
def then() -> None:
    """The time is a day of November."""
    clock.use(lambda: START)


def test_a_repository_is_shown_with_what_matters_first(documents: dict[str, Any], run: Run) -> None:
    run("repo", "set", "documents", "--quota", "5GB")
    shown = run("repo", "show", "documents").output.splitlines()
    assert [line.split("  ")[0] for line in shown[:6]] == [
        *("repository", "state", "URL", "last backup", "next expected", "size"),
    ]
    assert shown[0].split()[-1] == "alice/documents"
    assert "new since" in shown[1]
    assert documents["url"] in shown[2]
    assert shown[3].endswith("none yet")
    assert "in 23 hours" in shown[4]
    assert "0 B of 5.00 GB (0 %)" in shown[5]
    assert not [line for line in shown if "_" in line.split("  ")[0]]
    assert not [line for line in shown if line.endswith(" -")]


def test_who_asks_for_no_change_gets_none(documents: dict[str, Any], run: Run) -> None:
    run("channel", "add", "hook", "--owner", "alice", "--kind", "webhook", "--set",
        "url=https://192.0.2.1/x")  # fmt: skip
    run("rule", "add", "all", "--user", "alice", "--channel", "hook")
    for words in (
        ("user", "set", "alice"),
        ("group", "set", "team"),
        ("key", "set", "laptop"),
        ("location", "set", "default"),
        ("repo", "set", "documents"),
        ("channel", "set", "hook"),
        ("rule", "set", "all"),
    ):
        done = run(*words)
        assert (done.status, done.output) == (0, "Nothing to change: give an option.\n"), words
        assert run(*words, "--json").json["id"]


def test_a_schedule_says_what_it_means_once_it_is_set(
    then: None, documents: dict[str, Any], run: Run
) -> None:
    done = run(
        *("repo", "set", "documents", "--cron", "0 3 * * *", "--timezone", "Europe/Berlin"),
        *("--grace", "6h"),
    )
    assert done.output == (
        "Repository documents was changed.\n"
        "Backups expected: Every day at 03:00, Europe/Berlin, next tomorrow."
        " Due by Sat 21 Nov 03:00, Sun 22 Nov 03:00, Mon 23 Nov 03:00 (Europe/Berlin)."
        " A backup that is more than 6 hours late counts as missing.\n"
    )
    renamed = run("repo", "set", "documents", "--name", "papers")
    assert renamed.output == "Repository papers was changed.\n"


def test_a_new_user_without_a_password_is_told_how_to_get_one(run: Run) -> None:
    added = run("user", "add", "alice")
    assert "alice has no password" in added.messages
    assert "hive user reset-link alice" in added.messages
    with_password = run("user", "add", "bob", "--password-stdin", given="0123456789\n")
    assert with_password.messages == ""


def test_a_password_is_typed_on_a_terminal_or_given_on_standard_input(
    run: Run, settings: Settings
) -> None:
    run("user", "add", "alice")
    done = subprocess.run(
        [sys.executable, "-m", "hive", "user", "password", "alice"],
        env={"PATH": os.environ["PATH"], "HIVE_DATA_DIR": str(settings.paths.data_dir)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "Without a terminal, give the password with --password-stdin." in done.stderr
    assert "Warning" not in done.stderr
    typed = [("Password: ", "correct horse\n"), ("for confirmation: ", "correct horse\n")]
    status, shown = at_terminal(settings.paths.data_dir, "user", "password", "alice", typed=typed)
    assert status == 0, shown
    assert "The password of alice was changed." in shown
    assert run("user", "show", "alice", "--json").json["has_password"]


COMPLETE = """
{script}
COMP_WORDS=(hive repo sh); COMP_CWORD=2
_hive_completion hive
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def test_bash_completes_commands_with_the_script(run: Run, tmp_path: Path) -> None:
    """In a real bash, with a `hive` that is found on the path."""
    script = run("completion", "bash").output
    program = tmp_path / "bin" / "hive"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m hive "$@"\n')
    program.chmod(0o755)
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run(
        [bash, "--norc", "-c", COMPLETE.format(script=script)],
        env={"PATH": f"{program.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["show"], done.stderr


@pytest.mark.parametrize(("shell", "word"), [("zsh", "#compdef hive"), ("fish", "complete ")])
def test_other_shells_have_their_script(run: Run, shell: str, word: str) -> None:
    done = run("completion", shell)
    assert (done.status, word in done.output) == (0, True)
    assert run("completion", "tcsh").status == 2
