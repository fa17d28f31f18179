"""The one glance by commands, and alarms that are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hive import clock
from hive.config.settings import Settings
from hive.kinds import EventKind
from hive.models import Repository
from hive.services import runtime
from hive.services.alarms import alarms, server_alarms
from hive.services.alarms.server_alarms import Trouble
from hive.services.health import review
from hive.services.notifications import channels
from hive.services.permissions import OPERATOR
from hive.services.repositories import creation
from hive.services.repositories.creation import CreateRepository
from tests.cli.conftest import Result, Run

START = datetime(2026, 11, 20, 3, 12, tzinfo=UTC)
LONG = "Key laptop, which may only append, deleted 9.10 GB. " * 4


@pytest.fixture
def time() -> list[datetime]:
    """The time, to be moved."""
    at = [START]
    clock.use(lambda: at[0])
    return at


@pytest.fixture
def meanwhile(settings: Settings) -> Any:
    """What happens in the server while no command runs."""

    def do(what: Coroutine[Any, Any, Any]) -> Any:
        async def body() -> Any:
            await runtime.start(settings)
            try:
                return await what
            finally:
                await runtime.stop()

        return asyncio.run(body())

    return do


async def give_a_channel(owner: str) -> None:
    settings = {"url": "http://192.0.2.1/", "method": "POST"}
    await channels.add(OPERATOR, "hook", owner=owner, kind="webhook", settings=settings)


@pytest.fixture
def documents(documents: dict[str, Any], meanwhile: Any) -> dict[str, Any]:
    """The same, and somebody who is notified of it."""
    meanwhile(give_a_channel("alice"))
    return documents


async def back_up(name: str) -> None:
    await review.note_backup((await Repository.get(name=name)).id, clock.now())


async def happen(name: str, kind: EventKind, message: str, **details: Any) -> None:
    await alarms.happened((await Repository.get(name=name)).id, kind, message, **details)


def glance(run: Run) -> Result:
    """`hive status` as text, which fits on any terminal."""
    done = run("status")
    assert all(len(line) <= 80 for line in done.output.splitlines()), done.output
    assert "\x1b" not in done.output
    return done


def test_nothing_to_see_is_fine(time: list[datetime], run: Run) -> None:
    assert glance(run) == Result(0, "No repository yet.\n", "")
    assert run("status", "--json").json["fine"] is True


def test_each_repository_is_counted_once_and_new_or_not_watched_is_no_trouble(
    time: list[datetime], documents: dict[str, Any], run: Run, meanwhile: Any
) -> None:
    run("repo", "add", "free", "--owner", "alice", "--no-schedule")
    run("repo", "add", "photos", "--owner", "alice")
    run("repo", "add", "resting", "--owner", "alice")
    run("repo", "pause", "resting", "--for", "1w")
    meanwhile(back_up("documents"))
    done = glance(run)
    assert done.status == 0
    assert done.output == "4 repositories: 1 fine, 1 not watched, 1 new, 1 paused.\n"
    found = run("status", "--json").json
    assert (found["fine"], found["repositories"], found["attention"]) == (True, 4, [])
    counted = {name: count for name, count in found["counts"].items() if count}
    assert counted == {"fine": 1, "unwatched": 1, "new": 1, "paused": 1}


@pytest.mark.parametrize(("hours", "word"), [(25, "late"), (31, "down")])
def test_a_missing_backup_is_trouble(
    time: list[datetime], documents: dict[str, Any], run: Run, hours: int, word: str
) -> None:
    time[0] += timedelta(hours=hours)
    run("job", "run", "look at schedules")
    done = glance(run)
    assert done.status == 1
    assert done.output.splitlines()[0] == f"1 repository: 1 {word}."
    assert (
        f"{word.upper():<10}alice/documents: No backup yet; one was due 2026-11-21" in done.output
    )
    (concern,) = run("status", "--json").json["attention"]
    assert (concern["kind"], concern["repository"]) == (word, "alice/documents")


def test_that_nobody_would_be_notified_is_trouble(
    time: list[datetime], documents: dict[str, Any], run: Run, meanwhile: Any
) -> None:
    run("repo", "add", "lonely", "--owner", "bob")
    done = glance(run)
    assert done.status == 1
    assert "1 repository would notify nobody: lonely." in done.output
    (concern,) = run("status", "--json").json["attention"]
    assert concern["kind"] == "nobody to notify"
    meanwhile(give_a_channel("bob"))
    assert glance(run).status == 0


def test_an_alarm_is_trouble_until_it_is_answered(
    time: list[datetime], documents: dict[str, Any], run: Run, meanwhile: Any
) -> None:
    meanwhile(back_up("documents"))
    meanwhile(happen("documents", EventKind.MASS_DELETION, LONG, lost_percent=91.0))
    done = glance(run)
    assert (done.status, done.output.splitlines()[0]) == (1, "1 repository: 1 critical.")
    shown = run("repo", "show", "documents", "--json").json
    assert (shown["health"], shown["health_reason"]) == ("critical", "91 % deleted")
    (alarm,) = shown["alarms"]
    assert {"kind", "since", "message"} <= alarm.keys()
    assert (alarm["kind"], alarm["since"]) == ("mass deletion", "2026-11-20T03:12:00Z")
    assert f"hive alarm answer {alarm['id']}" in " ".join(done.output.split())
    assert f"hive alarm answer {alarm['id']}" in run("repo", "show", "documents").output
    (listed,) = run("repo", "list", "--json").json
    assert (listed["health"], listed["alarms"]) == ("critical", shown["alarms"])
    assert [one["id"] for one in run("alarm", "list", "--json").json] == [alarm["id"]]
    answered = run("alarm", "answer", alarm["id"])
    assert (answered.status, answered.output) == (0, f"Alarm {alarm['id']} was answered.\n")
    assert run("alarm", "answer", alarm["id"]).messages == "operator has answered this already.\n"
    assert glance(run) == Result(0, "1 repository: 1 fine.\n", "")
    assert run("repo", "show", "documents", "--json").json["alarms"] == []
    (past,) = run("alarm", "list", "--answered", "--json").json
    assert (past["id"], past["answered_by"]) == (alarm["id"], "operator")


def test_an_alarm_that_ends_by_itself_is_trouble_as_long_as_it_lasts(
    time: list[datetime], documents: dict[str, Any], run: Run, meanwhile: Any
) -> None:
    meanwhile(back_up("documents"))

    async def fill() -> None:
        one = await Repository.get(name="documents")
        await alarms.begin(one.id, EventKind.QUOTA_FILLING, "The quota is used to 92 %.")

    meanwhile(fill())
    done = glance(run)
    assert done.status == 1
    assert done.output == (
        "1 repository: 1 fine.\nALARM     alice/documents: The quota is used to 92 %.\n"
    )


def test_a_trouble_of_the_server_is_told_by_commands_too(
    time: list[datetime], documents: dict[str, Any], run: Run, meanwhile: Any
) -> None:
    meanwhile(back_up("documents"))
    trouble = Trouble(
        EventKind.CLOCK_JUMPED, "Clock", "The clock jumped.", unknown="the clock jumped"
    )
    meanwhile(server_alarms.report("clock", trouble))
    done = glance(run)
    assert done.status == 1
    assert done.output.splitlines() == [
        "1 repository: 1 unknown.",
        "SERVER    The clock jumped.",
        "UNKNOWN   alice/documents: the clock jumped.",
    ]
    shown = run("repo", "show", "documents", "--json").json
    assert (shown["health"], shown["health_reason"]) == ("unknown", "the clock jumped")


def test_much_trouble_is_cut_and_long_words_are_broken(
    time: list[datetime], documents: dict[str, Any], run: Run, meanwhile: Any
) -> None:
    meanwhile(happen("documents", EventKind.SHRUNK, "x" * 300))

    async def add_many() -> None:
        for number in range(32):
            name = f"{'n' * 90}{number}"
            await creation.create(OPERATOR, CreateRepository(name=name, owner="alice"))

    meanwhile(add_many())
    time[0] += timedelta(days=3)
    run("job", "run", "look at schedules")
    done = glance(run)
    assert done.output.splitlines()[-1] == "And 3 more: hive status --json shows all."
    assert len(run("status", "--json").json["attention"]) == 33
