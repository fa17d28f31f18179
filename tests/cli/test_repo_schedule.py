"""Schedules, tags and jobs by commands."""

from __future__ import annotations

import fcntl
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hive import clock
from hive.config.settings import Settings
from hive.services.server import jobs
from tests.cli.conftest import Run

START = datetime(2026, 11, 20, 3, 12, tzinfo=UTC)


class Time:
    def __init__(self) -> None:
        self.at = START
        clock.use(lambda: self.at)


@pytest.fixture
def time() -> Time:
    return Time()


def test_a_schedule_is_given_shown_and_taken(
    time: Time, documents: dict[str, Any], run: Run
) -> None:
    assert (documents["health"], documents["tags"]) == ("new", [])
    assert documents["due_at"] == "2026-11-21T03:12:00Z"  # every day, where nothing is said
    assert documents["schedule"]["words"] == "every day"
    added = run(
        *("repo", "add", "photos", "--owner", "alice", "--cron", "0 3 * * *"),
        *(
            "--timezone",
            "Europe/Berlin",
            "--grace",
            "90m",
            "--tag",
            "Home",
            "--tag",
            "nas",
            "--json",
        ),
    ).json
    assert added["schedule"] == {
        "kind": "cron",
        "every_seconds": None,
        "cron": "0 3 * * *",
        "timezone": "Europe/Berlin",
        "grace_seconds": 5400,
        "words": "every day at 03:00, Europe/Berlin",
        "description": "Every day at 03:00, Europe/Berlin, next tomorrow",
        "problem": None,
    }
    assert (added["state"], added["health"], added["tags"]) == ("new", "new", ["home", "nas"])
    assert added["due_at"] == "2026-11-21T02:00:00Z"
    assert added["down_at"] == "2026-11-21T03:30:00Z"
    changed = run(
        *("repo", "set", "photos", "--every", "1d", "--grace", "default"),
        *("--tag", "big", "--untag", "home", "--json"),
    ).json
    assert changed["schedule"]["every_seconds"] == 86400
    assert (changed["schedule"]["cron"], changed["schedule"]["grace_seconds"]) == (None, 21600)
    assert changed["tags"] == ["big", "nas"]
    shown = run("repo", "show", "photos").output
    for words in (
        "new since 2026-11-20 03:12 UTC",
        "Every day, next tomorrow at 03:12 (UTC)",
        "2026-11-21T03:12:00Z",
        "big, nas",
    ):
        assert words in shown
    table = run("repo", "list").output
    for words in ("STATE", "SCHEDULE", "NEXT EXPECTED", "TAGS", "every day", "big, nas"):
        assert words in table
    assert run("repo", "set", "photos", "--no-schedule", "--json").json["due_at"] is None
    by_id = {one["name"]: one for one in run("repo", "list", "--json").json}
    assert by_id["photos"]["schedule"]["kind"] == "none"
    assert by_id["photos"]["health"] == "unwatched"


def test_what_is_added_is_watched_unless_its_mode_or_somebody_says_otherwise(
    time: Time, documents: dict[str, Any], run: Run
) -> None:
    def add(name: str, *options: str) -> Any:
        return run("repo", "add", name, "--owner", "alice", *options, "--json").json

    assert add("free", "--no-schedule")["health"] == "unwatched"
    assert add("sent", "--mode", "export")["health"] == "unwatched"
    assert add("sent-daily", "--mode", "export", "--every", "1d")["health"] == "new"
    assert add("brought", "--mode", "import")["schedule"]["words"] == "not watched"
    hinted = run("repo", "set", "brought", "--mode", "borg")
    assert "brought is not watched" in hinted.messages
    assert "--every 1d" in hinted.messages
    run("repo", "set", "brought", "--mode", "import")
    asked = run("repo", "set", "brought", "--mode", "borg", "--every", "12h", "--json")
    assert (asked.json["health"], "not watched" in asked.messages) == ("new", False)
    told = run("repo", "add", "spoken", "--owner", "alice").output
    assert "Backups expected: Every day, next tomorrow at 03:12 (UTC)." in told
    silent = run("repo", "add", "silent", "--owner", "alice", "--no-schedule").output
    assert "It is not watched" in silent


def test_what_is_wrong_is_told_and_nothing_is_made(
    time: Time, documents: dict[str, Any], run: Run
) -> None:
    for options, status, words in (
        (("--cron", "0 3 * *"), 1, "Write five fields"),
        (("--cron", "0 3 * * *", "--timezone", "europe/berlin"), 1, "did you mean Europe/Berlin?"),
        (("--every", "1d", "--cron", "0 3 * * *"), 1, "give one"),
        (("--timezone", "UTC"), 1, "belongs to a cron expression"),
        (("--every", "often"), 2, "write for example 90m, 6h, 1d"),
        (("--every", "10s"), 1, "at most every minute"),
        (("--grace", "500d"), 1, "between 0 and 366 days"),
        (("--tag", "two words"), 1, "up to 50 letters"),
    ):
        done = run("repo", "add", "more", "--owner", "alice", *options)
        assert (done.status, words in done.messages) == (status, True), done.messages
    assert len(run("repo", "list", "--json").json) == 1


def test_pause_mute_and_acknowledge(time: Time, documents: dict[str, Any], run: Run) -> None:
    assert run("repo", "set", "documents", "--every", "1d").status == 0
    for verb in ("pause", "mute"):
        assert run("repo", verb, "documents").status == 2
        assert run("repo", verb, "documents", "--for", "1d", "--until", "+1d").status == 2
        assert "is in the past" in run("repo", verb, "documents", "--until", "2020-01-01").messages
    paused = run("repo", "pause", "documents", "--for", "3d", "--json").json
    assert (paused["health"], paused["paused_until"]) == ("paused", "2026-11-23T03:12:00Z")
    assert "paused until" in run("repo", "show", "documents").output
    assert run("repo", "resume", "documents", "--json").json["health"] == "new"
    assert run("repo", "resume", "documents").messages == "documents is not paused.\n"
    muted = run("repo", "mute", "documents", "--until", "+1d", "--json").json
    assert muted["muted_until"] == "2026-11-21T03:12:00Z"
    assert run("repo", "unmute", "documents", "--json").json["muted_until"] is None
    assert run("repo", "acknowledge", "documents").status == 1
    time.at += timedelta(days=2)
    assert run("job", "run", "look at schedules").status == 0
    known = run("repo", "acknowledge", "documents", "--json").json
    assert (known["health"], known["acknowledged_by"]) == ("down", "operator")
    kinds = [event["kind"] for event in run("event", "list", "--json").json]
    assert kinds[:2] == ["acknowledged", "down"]


def test_jobs_are_listed_and_done_without_a_server(
    time: Time, documents: dict[str, Any], run: Run
) -> None:
    listed = run("job", "list", "--json").json
    assert [job["name"] for job in listed] == [job.name for job in jobs.JOBS]
    done = run("job", "run", "watch-the-disks", "--json").json
    assert (done["succeeded_at"], done["running"]) == ("2026-11-20T03:12:00Z", False)
    assert done["next_at"] == "2026-11-20T03:13:00Z"
    assert "0.0s" in run("job", "list").output
    unknown = run("job", "run", "win")
    assert (unknown.status, f"there are: {jobs.JOBS[0].name}" in unknown.messages) == (1, True)


def test_a_job_that_fails_is_a_failure(
    documents: dict[str, Any], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(jobs, "JOBS", (jobs.Job("fail", timedelta(hours=1), fail),))
    done = run("job", "run", "fail")
    assert done.status == 1
    assert done.messages.endswith("\nThe job 'fail' failed: the disk is gone\n")
    assert "the disk is gone" in run("job", "list").output


def test_without_a_server_only_one_process_does_jobs(
    documents: dict[str, Any], run: Run, settings: Settings
) -> None:
    directory = os.open(settings.paths.run, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        refused = run("job", "run", "watch the disks")
    finally:
        os.close(directory)
    assert (refused.status, "is at work" in refused.messages) == (1, True)
