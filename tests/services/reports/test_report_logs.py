"""Where logs of reports lie, and how much of them is kept."""

from __future__ import annotations

import asyncio
import os
import secrets
import stat
import time as times
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hive import clock
from hive.config.settings import Settings
from hive.kinds import EventKind, RunState, RunVerdict
from hive.models import PingToken, Run
from hive.services import events, runtime
from hive.services.lifecycle import trash
from hive.services.permissions import OPERATOR
from hive.services.reports import log_files, logs, reports, space, tokens, upgrade
from hive.services.reports.reports import Report, ReportKind
from hive.services.reports.tokens import Admitted
from hive.services.reports.verdicts import Claim
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from tests import factories
from tests.factories import People
from tests.services.triggers.conftest import Time

KIB, MIB = 1024, 1024 * 1024


@pytest.fixture
def time() -> Iterator[Time]:
    yield Time()
    clock.use(None)


@pytest.fixture
async def small(settings: Settings, time: Time) -> AsyncIterator[Settings]:
    """A server with small bounds."""
    bounds = {
        "reports.token_bytes_per_day": 6 * MIB,
        "reports.repository_bytes": 2 * MIB,
        "reports.runs_per_repository": 10,
    }
    made = factories.make_settings(settings.server.data_dir, **bounds)
    await runtime.start(made)
    yield made
    await runtime.stop()


@pytest.fixture
async def cast(small: Settings) -> People:
    return await factories.make_people()


@pytest.fixture
async def documents(cast: People) -> RepositoryInfo:
    return await factories.make_repository(cast.alice, share_with="team")


@pytest.fixture
async def token(cast: People, documents: RepositoryInfo) -> Admitted:
    made = await tokens.add_token(cast.alice, documents.id, "laptop")
    admitted = await tokens.admit(made.token, "192.0.2.7")
    assert admitted is not None
    return admitted


async def send(token: Admitted, text: str, kind: ReportKind = ReportKind.FAIL) -> int:
    size = len(text.encode())
    return await reports.receive(
        token,
        Report(
            kind=kind,
            peer="192.0.2.7",
            text=text,
            exit_status=None,
            rid=None,
            user_agent="curl",
            size_bytes=size,
        ),
    )


async def log_of(run_id: int) -> str:
    return (await reports.get_run(OPERATOR, run_id)).log


def noise(size: int) -> str:
    """Text that does not get smaller by much."""
    rows = "".join(secrets.token_hex(32) + "\n" for _ in range(size // 65 + 1))
    return rows[:size]


def files(settings: Settings) -> list[Path]:
    return sorted(path for path in settings.paths.logs.rglob("*") if path.is_file())


def taken(settings: Settings) -> int:
    return sum(path.stat().st_blocks * 512 for path in files(settings))


async def test_a_log_is_a_private_compressed_file_and_not_in_the_database(
    small: Settings, token: Admitted
) -> None:
    text = "a line of a log\n" * 60_000
    run = await send(token, text)
    assert await log_of(run) == text
    (file,) = files(small)
    assert file.stat().st_size < len(text) / 20
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(small.paths.logs.stat().st_mode) == 0o700
    assert (await Run.get(id=run)).log == ""
    assert small.paths.database.stat().st_size < 2 * MIB


async def test_the_longer_log_replaces_the_shorter_one_and_its_file(
    small: Settings, token: Admitted
) -> None:
    run = await send(token, "short\n", ReportKind.LOG)
    assert await send(token, "somewhat longer\n", ReportKind.LOG) == run
    assert await send(token, "brief\n") == run
    assert await log_of(run) == "somewhat longer\n"
    assert len(files(small)) == 1


async def test_beyond_the_day_a_report_still_counts_and_keeps_the_end_of_its_log(
    cast: People, token: Admitted, time: Time
) -> None:
    for _ in range(6):
        await send(token, noise(MIB) + "\n")
    claim = f'Creating archive at "ssh://{secrets.token_hex(4)}@hive/./x::a"\n'
    run = await send(token, claim + noise(MIB) + "\nwhy it failed\n")
    log = await log_of(run)
    assert log.startswith("... only the end is kept: this token has sent more than 6.29 MB of logs")
    assert log.endswith("\nwhy it failed\n")
    assert len(log) < 20 * KIB
    info = await reports.get_run(OPERATOR, run)
    assert (info.state, info.notes.claim) == (RunState.FAILED, Claim.OTHER)
    time.pass_by(minutes=3)
    await reports.judge_due()
    told = [e.message for e in await events.recent(OPERATOR) if e.kind == EventKind.CLIENT_FAILED]
    assert len(told) == 7
    assert "why it failed" in told[0]
    time.pass_by(days=1)
    text = noise(100 * KIB)
    assert await log_of(await send(token, text)) == text


async def test_concurrent_reports_share_one_day(token: Admitted) -> None:
    await asyncio.gather(*(send(token, noise(MIB)) for _ in range(10)))
    row = await PingToken.get(id=token.token_id)
    assert row.log_day_bytes == 6 * MIB


async def test_a_log_of_one_endless_line_is_not_cut_within_a_secret(
    token: Admitted, documents: RepositoryInfo
) -> None:
    await PingToken.filter(id=token.token_id).update(
        log_day=clock.now().date().toordinal(), log_day_bytes=6 * MIB
    )
    inside = "BORG_PASSPHRASE=" + "s3cret" * 100_000
    log = await log_of(await send(token, inside))
    assert "s3cret" not in log
    assert log.startswith("... only the end is kept")


async def test_the_oldest_logs_are_shortened_first_then_dropped_and_the_newest_is_whole(
    small: Settings, token: Admitted
) -> None:
    made = []
    for number in range(9):
        text = f"log {number} begins\n{noise(600 * KIB)}\nlog {number} ends\n"
        made.append((await send(token, text), text))
        assert taken(small) <= 2 * MIB
        assert await log_of(made[-1][0]) == text
    first = await log_of(made[0][0])
    assert first.startswith("... shortened to its end, to make room for newer logs")
    assert first.endswith("\nlog 0 ends\n")
    await Run.exclude(id=made[-1][0]).update(log_bytes=log_files.SHORT_FILE)
    await Run.filter(id=made[-1][0]).update(log_bytes=2 * MIB - 2 * log_files.SHORT_FILE)
    await space.keep_within_bounds(token.repository_id, made[-1][0])
    assert [bool(await log_of(run)) for run, _ in made] == [False] * 7 + [True] * 2
    assert len(files(small)) == 2
    states = {(await reports.get_run(OPERATOR, run)).state for run, _ in made}
    assert states == {RunState.FAILED}


async def test_runs_are_bounded_too_and_none_is_forgotten_before_it_was_told(
    small: Settings, token: Admitted, time: Time
) -> None:
    for number in range(30):
        await send(token, f"report {number}\n")
        time.pass_by(minutes=5)
    assert await Run.all().count() == 30
    time.pass_by(minutes=3)
    await reports.judge_due()
    await send(token, "the last\n")
    assert await Run.all().count() == 10
    assert len(files(small)) == 10
    told = [
        e for e in await events.recent(OPERATOR, limit=100) if e.kind == EventKind.CLIENT_FAILED
    ]
    assert len(told) == 30


async def test_the_same_failure_again_and_again_is_listed_each_time_and_told_some_times(
    cast: People, documents: RepositoryInfo, token: Admitted, time: Time
) -> None:
    small = 2 * reports.MOST_EVENTS
    made = await tokens.add_token(cast.alice, documents.id, "nas")
    other = await tokens.admit(made.token, "192.0.2.8")
    assert other is not None
    for _ in range(small):
        await send(token, "failed\n")
    await send(other, "another machine failed\n")
    time.pass_by(minutes=3)
    await reports.judge_due()
    told = [
        e for e in await events.recent(OPERATOR, limit=100) if e.kind == EventKind.CLIENT_FAILED
    ]
    assert len(told) == reports.MOST_EVENTS + 1
    assert "another machine failed" in told[0].message
    assert f"the same {reports.MOST_EVENTS} times within an hour" in told[1].message
    assert len(await reports.list_runs(OPERATOR, limit=100)) == small + 1
    time.pass_by(hours=2)
    await send(token, "failed again\n")
    time.pass_by(minutes=3)
    await reports.judge_due()
    assert "failed again" in (await events.recent(OPERATOR))[0].message


async def test_a_machine_that_sends_too_much_pushes_out_its_own_history_only(
    cast: People, documents: RepositoryInfo, token: Admitted, time: Time
) -> None:
    made = await tokens.add_token(cast.alice, documents.id, "nas")
    quiet = await tokens.admit(made.token, "192.0.2.8")
    assert quiet is not None
    texts = [noise(150 * KIB) for _ in range(3)]
    kept = [await send(quiet, text) for text in texts]
    for _ in range(30):
        last = noise(300 * KIB)
        await send(token, last)
    time.pass_by(minutes=3)
    await reports.judge_due()
    await send(token, "one more\n")
    assert [await log_of(run) for run in kept] == texts
    assert await Run.filter(token_id=token.token_id).count() == 7


async def test_a_damaged_or_missing_log_costs_only_itself(small: Settings, token: Admitted) -> None:
    run = await send(token, "words\n")
    (file,) = files(small)
    file.write_bytes(b"\x1f\x8b broken")
    assert await log_of(run) == ""
    file.unlink()
    assert await log_of(run) == ""
    assert (await reports.get_run(OPERATOR, run)).state == RunState.FAILED


async def test_where_no_log_can_be_written_the_report_counts_and_tells_the_last_lines(
    small: Settings, token: Admitted, time: Time
) -> None:
    small.paths.logs.write_text("no directory")
    run = await send(token, "why it failed\n")
    assert await log_of(run) == ""
    time.pass_by(minutes=3)
    await reports.judge_due()
    (told,) = [e for e in await events.recent(OPERATOR) if e.kind == EventKind.CLIENT_FAILED]
    assert "why it failed" in told.message


async def test_what_a_killed_server_left_is_swept_up_and_nothing_else(
    small: Settings, token: Admitted
) -> None:
    run = await send(token, "words\n")
    (file,) = files(small)
    orphan, young = file.with_name(f"{'0' * 24}.gz"), file.with_name(f"{'1' * 24}.gz")
    foreign = file.with_name("notes.txt")
    gone = small.paths.logs / "99999" / orphan.name
    gone.parent.mkdir()
    for path in (orphan, young, foreign, gone):
        path.write_bytes(b"")
    old = times.time() - 7200
    for path in (file, orphan, foreign, gone):
        os.utime(path, (old, old))
    assert await logs.sweep() == 2
    assert [path.exists() for path in (orphan, gone.parent, young, foreign, file)] == [
        False,
        False,
        True,
        True,
        True,
    ]
    assert await log_of(run) == "words\n"


async def test_logs_go_with_their_time_and_with_their_repository(
    small: Settings, cast: People, documents: RepositoryInfo, token: Admitted, time: Time
) -> None:
    await send(token, "words\n")
    time.pass_by(days=91)
    await send(token, "newer words\n")
    assert await logs.forget_old() == 1
    assert len(files(small)) == 1
    await trash.delete_repository(cast.alice, documents.id)
    time.pass_by(days=31)
    await trash.empty_expired()
    assert files(small) == []
    assert await Run.all().count() == 0


async def old_run(documents: RepositoryInfo, text: str, *, is_judged: bool = True) -> int:
    """A run with its log in the database, as former versions stored it."""
    row = await Run.create(
        repository_id=documents.id,
        state=RunState.FAILED,
        ended_at=clock.now(),
        log=text,
        peer="192.0.2.7",
        judge_at=None if is_judged else clock.now() + timedelta(minutes=2),
        details={"bytes": len(text), "cut": False},
    )
    return row.id


async def test_logs_of_former_versions_are_moved_into_files_and_read_all_the_while(
    small: Settings, documents: RepositoryInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"log {number}\n" + noise(20 * KIB) for number in range(8)]
    made = [await old_run(documents, text) for text in texts]
    write, written = log_files.write, 0

    def break_off(repository_id: int, text: str) -> log_files.LogFile:
        nonlocal written
        written += 1
        if written == 4:
            raise OSError("the disk is full")
        return write(repository_id, text)

    monkeypatch.setattr(log_files, "write", break_off)
    with pytest.raises(OSError, match="full"):
        await upgrade.move_all_into_files()
    assert len(files(small)) == 3
    assert [await log_of(run) for run in made] == texts
    assert await upgrade.move_all_into_files() == 5
    assert [await log_of(run) for run in made] == texts
    assert await Run.exclude(log="").count() == 0
    assert len(files(small)) == 8
    assert await upgrade.move_all_into_files() == 0


async def test_a_run_that_a_former_version_received_is_judged_by_its_log(
    documents: RepositoryInfo, time: Time
) -> None:
    claim = f'Creating archive at "hive:{documents.directory}::one"\nthe reason\n'
    run = await old_run(documents, claim, is_judged=False)
    await Run.filter(id=run).update(state=RunState.SUCCEEDED)
    failed = await old_run(documents, "the reason\n", is_judged=False)
    time.pass_by(minutes=3)
    await reports.judge_due()
    assert (await reports.get_run(OPERATOR, run)).verdict == RunVerdict.NOTHING_WRITTEN
    assert (await reports.get_run(OPERATOR, failed)).log == "the reason\n"
    messages = [event.message for event in await events.recent(OPERATOR)]
    assert any(message.endswith("the reason") for message in messages)


async def test_a_log_is_found_by_its_own_repository_alone(
    cast: People, documents: RepositoryInfo, token: Admitted
) -> None:
    run = await send(token, "words\n")
    await Run.filter(id=run).update(log_file="../../hive.sqlite3")
    assert await log_of(run) == ""
    assert (await catalogue.find_repository(cast.alice, "documents")).id == documents.id


def test_the_end_of_a_text_is_whole_lines() -> None:
    text = "".join(f"line {number}\n" for number in range(1000))
    end = log_files.end_of(text, 500)
    assert text.endswith("\n" + end)
    assert len(end) <= 500
    assert log_files.end_of("é" * 100, 51).strip("é") == ""
    assert log_files.end_of("short", 500) == "short"
