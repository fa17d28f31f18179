"""Listings: what they show of which repositories, on a terminal and off it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hive.config.settings import Settings
from hive.kinds import EventKind
from hive.models import Repository
from hive.services import events, runtime
from hive.services.alarms import alarms
from tests.cli.conftest import Run
from tests.cli.terminals import at_terminal

LONG = "photographs-of-all-holidays-since-the-first-camera"


@pytest.fixture
def several(documents: dict[str, Any], run: Run, settings: Settings) -> None:
    """Three more repositories, in several states, and an event of each of two kinds."""
    for words in (
        (LONG, "--owner", "bob", "--tag", "nas", "--tag", "big", "--quota", "5GB"),
        ("vault", "--owner", "bob", "--tag", "nas", "--no-schedule"),
        ("lost", "--owner", "alice", "--no-schedule"),
    ):
        assert run("repo", "add", *words).status == 0

    async def happen() -> None:
        await runtime.start(settings)
        try:
            lost = (await Repository.get(name="lost")).id
            await alarms.happened(lost, EventKind.MASS_DELETION, "91 % were deleted.")
            await events.record(lost, EventKind.LATE, "A backup is late.")
        finally:
            await runtime.stop()

    asyncio.run(happen())


def names(run: Run, *options: str) -> list[str]:
    done = run("repo", "list", "--json", *options)
    assert done.status == 0, done.messages
    return sorted(one["name"] for one in done.json)


def test_repositories_are_filtered_by_state_owner_and_tag(several: None, run: Run) -> None:
    assert names(run, "--state", "not-watched") == names(run, "--state", "unwatched") == ["vault"]
    assert names(run, "--state", "critical", "--state", "new") == [
        *("documents", "lost"),
        LONG,
    ]
    assert names(run, "--owner", "bob") == [LONG, "vault"]
    assert names(run, "--tag", "nas", "--tag", "big") == [LONG]
    assert names(run, "--tag", "nas", "--state", "new", "--owner", "bob") == [LONG]
    nothing = run("repo", "list", "--state", "paused")
    assert (nothing.status, nothing.messages) == (0, "No matching repositories.\n")
    wrong = run("repo", "list", "--owner", "carol")
    assert (wrong.status, "There is no user 'carol'" in wrong.messages) == (1, True)
    assert run("repo", "list", "--state", "asleep").status == 2
    assert run("repo", "list", "--trash", "--tag", "nas").status == 1


def test_columns_are_chosen_by_name(several: None, run: Run) -> None:
    table = run("repo", "list", "--columns", "name,state,last-backup", "--owner", "bob").output
    assert table.splitlines()[0].split("  ")[0] == "NAME"
    assert [line.split() for line in table.splitlines()[1:]] == [
        [LONG, "new", "-"],
        ["vault", "not", "watched", "-"],
    ]
    wrong = run("repo", "list", "--columns", "name,colour")
    assert wrong.status == 2
    assert "There is no column 'colour'. The columns are: id, owner, name," in wrong.messages


def test_events_are_filtered_by_kind(several: None, run: Run) -> None:
    late = run("event", "list", "--kind", "late", "--json").json
    assert [one["message"] for one in late] == ["A backup is late."]
    both = run("event", "list", "--kind", "late", "--kind", "mass deletion", "--json").json
    assert {one["kind"] for one in both} == {"late", "mass deletion"}
    assert run("event", "list", "--kind", "tea").status == 2


def test_a_table_fits_the_terminal_and_says_what_was_cut(several: None, settings: Settings) -> None:
    data = settings.paths.data_dir
    status, shown = at_terminal(data, "repo", "list", columns=80, NO_COLOR="1")
    lines = shown.splitlines()
    assert (status, len(lines)) == (0, 5), shown
    assert max(map(len, lines)) <= 80
    assert {"OWNER", "NAME", "STATE"} <= set(lines[0].split())
    assert "photographs-of-" in shown
    assert LONG not in shown
    assert "…" in shown
    assert "\x1b" not in shown
    _, wider = at_terminal(data, "repo", "list", columns=200, NO_COLOR="1")
    assert LONG in wider
    assert "TAGS" in wider
    _, whole = at_terminal(data, "repo", "list", "--wide", columns=80, NO_COLOR="1")
    assert LONG in whole
    assert "CONTENT" in whole


@pytest.mark.parametrize(
    "words",
    [
        ("user", "list"),
        ("group", "list"),
        ("key", "list"),
        ("location", "list"),
        ("event", "list"),
        ("session", "list"),
        ("alarm", "list"),
        ("job", "list"),
        ("channel", "list"),
        ("rule", "list"),
        ("trigger", "list"),
        ("report", "list"),
        ("delivery", "list"),
        ("notification", "list"),
        ("address", "list"),
    ],
    ids=lambda words: words[0],
)
def test_every_listing_fits_eighty_columns(
    several: None, settings: Settings, words: tuple[str, ...]
) -> None:
    status, shown = at_terminal(settings.paths.data_dir, *words, NO_COLOR="1")
    assert status == 0, shown
    assert max(map(len, shown.splitlines())) <= 80, shown


def test_states_are_coloured_on_a_terminal_only(
    several: None, settings: Settings, run: Run
) -> None:
    data = settings.paths.data_dir
    _, shown = at_terminal(data, "repo", "list")
    assert "\x1b[91mcritical" in shown
    for words in (("repo", "list"), ("status",)):
        assert "\x1b" not in at_terminal(data, *words, NO_COLOR="1")[1]
        assert "\x1b" not in at_terminal(data, *words, TERM="dumb")[1]
    assert "\x1b[" in at_terminal(data, "status")[1]
    assert "\x1b" not in run("repo", "list").output
