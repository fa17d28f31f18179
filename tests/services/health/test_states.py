"""One state for each repository, alarms that stay until somebody answers, proposed schedules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hive import clock
from hive.borg.repository import Snapshot
from hive.config.settings import Settings
from hive.errors import Conflict, Forbidden, NotFound
from hive.kinds import (
    Access,
    ArchiveCreated,
    EndReason,
    EventKind,
    Health,
    Mode,
    Severity,
    ShareLevel,
    State,
)
from hive.models import Alarm, AuditEntry, Event, HealthChange, Repository
from hive.services.alarms import alarms, answers, server_alarms
from hive.services.alarms.server_alarms import Trouble
from hive.services.health import infos as health_info
from hive.services.health import proposals, review, schedules
from hive.services.health.schedules import ScheduleChange
from hive.services.health.states import BAD, Condition, condition_of, state_of
from hive.services.keys import keys
from hive.services.notifications import channels
from hive.services.outbox.kinds import TABLE
from hive.services.overview import status, summaries
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue, creation
from hive.services.repositories.creation import CreateRepository
from hive.services.repositories.infos import RepositoryInfo
from hive.services.sessions import record
from tests import factories
from tests.another_process import forget
from tests.factories import People
from tests.web.rows import add_session

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
NATURAL_END = {EventKind.DOWN, EventKind.STILL_DOWN}  # the next backup ends them
LOST = {"lost_percent": 91.2}


@pytest.fixture
def time(settings: Settings) -> list[datetime]:
    """The time, to be moved."""
    at = [NOW]
    clock.use(lambda: at[0])
    return at


@pytest.fixture
async def documents(people: People, time: list[datetime]) -> RepositoryInfo:
    """Alice's, watched every day, with a backup of just now."""
    info = await creation.create(people.alice, CreateRepository(name="documents"))
    await review.note_backup(info.id, time[0])
    settings = {"url": "http://192.0.2.1/", "method": "POST"}
    await channels.add(people.alice, "hook", owner="alice", kind="webhook", settings=settings)
    return info


async def state(info: RepositoryInfo) -> tuple[State, str]:
    found = await health_info.health_info(OPERATOR, info.id)
    return found.state, found.reason


async def condition(info: RepositoryInfo) -> Condition:
    return next(one for one in await summaries.summaries(OPERATOR) if one.id == info.id).condition


async def delete_much(info: RepositoryInfo, **more: Any) -> int:
    """An alarm about a deletion; its id."""
    message = "Key laptop deleted 91 % of the data."
    await alarms.happened(info.id, EventKind.MASS_DELETION, message, **{**LOST, **more})
    return (await Alarm.filter(answered_at=None, kind=EventKind.MASS_DELETION).get()).id


def test_every_critical_event_ends_by_itself_or_waits_for_an_answer() -> None:
    critical = {kind for kind, one in TABLE.items() if one.severity == Severity.CRITICAL}
    assert critical == {*alarms.UNTIL_ANSWERED, *NATURAL_END}
    for kind in alarms.UNTIL_ANSWERED:
        assert alarms.in_short(kind, {}) != str(kind)  # the row says it in a word or two


@pytest.mark.parametrize("schedule_says", list(Health))
def test_an_alarm_weighs_more_than_all_else_and_what_is_unknown_more_than_the_schedule(
    schedule_says: Health,
) -> None:
    assert state_of(schedule_says, is_critical=True, unknown="clock jumped") == State.CRITICAL
    assert state_of(schedule_says, is_critical=False, unknown="clock jumped") == State.UNKNOWN
    assert state_of(schedule_says, is_critical=False, unknown="") == State(schedule_says)


@pytest.mark.parametrize("one", list(State))
def test_a_backup_that_runs_hides_no_trouble(one: State) -> None:
    shown = condition_of(one, None, is_backing_up=True)
    assert shown == (Condition(one) if one in BAD else Condition.RUNNING)


async def test_what_happened_stays_until_somebody_answers(
    people: People, documents: RepositoryInfo
) -> None:
    assert await state(documents) == (State.FINE, "")
    alarm = await delete_much(documents)
    assert await state(documents) == (State.CRITICAL, "91 % deleted")
    assert await condition(documents) == Condition.CRITICAL
    await review.note_backup(documents.id, NOW)  # a backup is no answer
    assert await state(documents) == (State.CRITICAL, "91 % deleted")
    answered = await answers.answer(people.alice, alarm)
    assert (answered.answered_by, answered.answered_at) == ("alice", NOW)
    assert await state(documents) == (State.FINE, "")
    told = await Event.filter(kind=EventKind.ALARM_ANSWERED).get()
    assert told.message == "alice has answered: mass deletion."
    audited = await AuditEntry.filter(action="alarm.answer").get()
    assert audited.actor == "alice"
    past = await answers.list_alarms(people.alice, answered=True)
    assert [one.id for one in past] == [alarm]
    with pytest.raises(Conflict, match="alice has answered this already"):
        await answers.answer(OPERATOR, alarm)


async def test_an_answer_covers_what_was_seen(people: People, documents: RepositoryInfo) -> None:
    alarm = await delete_much(documents)
    await delete_much(documents, lost_percent=12.0)
    (row,) = await alarms.lasting(documents.id)
    assert (row.id, row.count, row.in_short) == (alarm, 2, "12 % deleted")
    still = await answers.answer(people.alice, alarm, seen=1)
    assert still.is_critical
    assert (still.count, still.answered_at) == (1, None)
    assert await state(documents) == (State.CRITICAL, "12 % deleted")
    await answers.answer(people.alice, still.id, seen=1)
    assert await state(documents) == (State.FINE, "")
    await delete_much(documents)  # and what happens later is another one
    assert (await state(documents))[0] == State.CRITICAL
    assert await Alarm.filter(kind=EventKind.MASS_DELETION).count() == 3


async def test_one_answer_is_enough_for_what_one_session_did(
    people: People, documents: RepositoryInfo
) -> None:
    session = (await add_session(documents.id)).id
    other = (await add_session(documents.id)).id
    alarm = await delete_much(documents, session_id=session)
    for kind, by in (
        (EventKind.APPEND_ONLY_DELETION, session),
        (EventKind.CONFIG_SUSPICIOUS, other),
    ):
        await alarms.happened(documents.id, kind, "It did.", session_id=by)
    await answers.answer(people.alice, alarm)
    assert [one.kind for one in await alarms.lasting(documents.id)] == [EventKind.CONFIG_SUSPICIOUS]


async def test_only_who_manages_the_repository_answers(
    people: People, documents: RepositoryInfo
) -> None:
    alarm = await delete_much(documents)
    with pytest.raises(NotFound, match="no such alarm"):
        await answers.answer(people.charlie, alarm)
    await catalogue.set_repository(
        people.alice, documents.id, share_levels={"team": ShareLevel.VIEW}
    )
    with pytest.raises(Forbidden):
        await answers.answer(people.bob, alarm)
    (row,) = await answers.list_alarms(people.bob)
    assert not (await answers.offers(people.bob, [row]))[row.id].may_answer
    assert await answers.list_alarms(people.charlie) == []


async def test_what_ends_by_itself_is_not_answered(documents: RepositoryInfo) -> None:
    await alarms.begin(documents.id, EventKind.QUOTA_FILLING, "The quota is used to 90 %.")
    (row,) = await alarms.lasting(documents.id)
    assert (await state(documents), row.is_critical) == ((State.FINE, ""), False)
    with pytest.raises(Conflict, match="over when its cause is"):
        await answers.answer(OPERATOR, row.id)


async def test_damage_is_critical_until_it_is_answered_or_repaired(
    documents: RepositoryInfo,
) -> None:
    await alarms.integrity_error(documents.id, "A check found the repository damaged.")
    assert await state(documents) == (State.CRITICAL, "Damaged")
    await alarms.integrity_proven(documents.id)
    assert await state(documents) == (State.FINE, "")
    await alarms.integrity_error(documents.id, "A check found the repository damaged.")
    (row,) = await alarms.lasting(documents.id)
    await answers.answer(OPERATOR, row.id)
    assert await state(documents) == (State.FINE, "")


async def test_the_key_that_did_it_can_be_disabled(
    people: People, documents: RepositoryInfo
) -> None:
    key = await factories.make_key(people.alice)
    session = await add_session(documents.id, key_id=key.id)
    alarm = await delete_much(documents, session_id=session.id)
    waiting = await alarms.lasting(documents.id)
    offer = (await answers.offers(people.alice, waiting))[alarm]
    assert (offer.may_answer, offer.key_id, offer.can_roll_back) == (True, key.id, True)
    await answers.disable_key(people.alice, alarm)
    assert not (await keys.find_key_by_id(people.alice, key.id)).enabled
    assert (await state(documents))[0] == State.CRITICAL  # that is no answer yet
    assert (await answers.offers(people.alice, waiting))[alarm].key_id is None


def on_disk(content: bytes | None) -> Snapshot:
    """What a look at the disk told; None: nothing is there."""
    config = None if content is None else b"[repository]\nid = 00\nkey = " + content
    return Snapshot(
        is_created=content is not None,
        state=str(content),
        config=config,
        size_bytes=None if content is None else 1,
    )


async def end_session(info: RepositoryInfo, access: Access, after: Snapshot) -> None:
    session = await add_session(info.id, access=access)
    await record.note_snapshot(info.id, after, session_id=session.id)


@pytest.mark.parametrize(
    ("access", "is_alarming"),
    [(Access.FULL, False), (Access.APPEND_ONLY, True), (Access.READ_ONLY, True)],
)
async def test_a_config_is_changed_by_whoever_may(
    documents: RepositoryInfo, access: Access, is_alarming: bool
) -> None:
    await end_session(documents, Access.FULL, on_disk(b"one"))
    await end_session(documents, access, on_disk(b"two"))
    kinds = [one.kind for one in await alarms.lasting(documents.id)]
    assert kinds == ([EventKind.CONFIG_SUSPICIOUS] if is_alarming else [])


async def test_a_config_changed_past_the_gate_is_an_alarm_and_by_the_hive_it_is_none(
    documents: RepositoryInfo,
) -> None:
    await record.note_snapshot(documents.id, on_disk(b"one"))
    await record.note_snapshot(documents.id, on_disk(b"two"), by_hive=True)
    assert await alarms.lasting(documents.id) == []
    await record.note_snapshot(documents.id, on_disk(b"three"))
    assert [one.kind for one in await alarms.lasting(documents.id)] == [EventKind.CONFIG_SUSPICIOUS]


async def test_whose_content_is_gone_is_never_fine(
    documents: RepositoryInfo, time: list[datetime]
) -> None:
    await record.note_snapshot(documents.id, on_disk(b"one"))
    await review.note_backup(documents.id, time[0])
    assert await state(documents) == (State.FINE, "")
    time[0] += timedelta(minutes=5)
    await record.note_snapshot(documents.id, on_disk(None))
    assert (await state(documents))[0] == State.NEW
    await record.note_snapshot(documents.id, on_disk(b"another"))  # borg init
    await review.review(documents.id)
    assert (await state(documents))[0] == State.NEW
    time[0] += timedelta(days=2)
    await review.review_due()
    assert (await state(documents))[0] == State.DOWN
    await review.note_backup(documents.id, time[0])
    assert (await state(documents))[0] == State.FINE


async def test_content_that_comes_back_brings_its_backups(
    documents: RepositoryInfo, time: list[datetime]
) -> None:
    await record.note_snapshot(documents.id, on_disk(b"one"))
    await review.note_backup(documents.id, time[0])
    time[0] += timedelta(minutes=5)
    await record.note_snapshot(documents.id, on_disk(None))
    await record.note_snapshot(documents.id, on_disk(b"one"))
    assert await state(documents) == (State.FINE, "")


async def test_what_is_unknown_is_shown_as_that_wherever_health_is_shown(
    people: People, documents: RepositoryInfo
) -> None:
    location = (await Repository.get(id=documents.id)).location_id
    trouble = Trouble(
        EventKind.STORAGE_UNAVAILABLE,
        "Storage unavailable",
        "The storage of the location default is not there.",
        unknown="storage unavailable",
        location_id=location,
    )
    await server_alarms.report("location:1", trouble)
    assert await state(documents) == (State.UNKNOWN, "storage unavailable")
    assert await condition(documents) == Condition.UNKNOWN
    forget(server_alarms)  # as in a command, which is another process
    assert await state(documents) == (State.UNKNOWN, "storage unavailable")
    found = await status.look(OPERATOR)
    assert [one.kind for one in found.concerns] == ["server", "unknown"]
    await server_alarms.report("location:1", None)
    assert await state(documents) == (State.FINE, "")
    assert (await status.look(OPERATOR)).is_fine


async def test_a_trouble_elsewhere_makes_nothing_unknown(documents: RepositoryInfo) -> None:
    location = (await Repository.get(id=documents.id)).location_id
    trouble = Trouble(
        EventKind.STORAGE_UNAVAILABLE, "t", "m", unknown="away", location_id=location + 1
    )
    await server_alarms.report("location:2", trouble)
    assert await state(documents) == (State.FINE, "")
    everywhere = Trouble(EventKind.CLOCK_JUMPED, "t", "m", unknown="the clock jumped")
    await server_alarms.report("clock", everywhere)
    assert await state(documents) == (State.UNKNOWN, "the clock jumped")


@pytest.mark.parametrize(
    ("mode", "change", "expected"),
    [
        (Mode.BORG, ScheduleChange(), "every day"),
        (Mode.BORG, ScheduleChange(grace=timedelta(hours=1)), "every day"),
        (Mode.BORG, ScheduleChange(every=timedelta(hours=12)), "every 12 hours"),
        (Mode.BORG, ScheduleChange(no_schedule=True), "not watched"),
        (Mode.IMPORT, ScheduleChange(), "not watched"),
        (Mode.EXPORT, ScheduleChange(), "not watched"),
        (Mode.IMPORT, ScheduleChange(every=timedelta(days=7)), "every week"),
    ],
)
async def test_a_new_repository_is_watched_unless_its_mode_or_somebody_says_otherwise(
    people: People, mode: Mode, change: ScheduleChange, expected: str
) -> None:
    wanted = CreateRepository(name="new", mode=mode, schedule=change)
    info = await creation.create(people.alice, wanted)
    found = await health_info.health_info(people.alice, info.id)
    assert found.schedule.in_words == expected
    assert found.state == (State.UNWATCHED if expected == "not watched" else State.NEW)


async def test_without_a_schedule_nothing_is_fine(
    documents: RepositoryInfo, time: list[datetime]
) -> None:
    await schedules.set_schedule(OPERATOR, documents.id, ScheduleChange(no_schedule=True))
    assert await state(documents) == (State.UNWATCHED, "")
    time[0] += timedelta(days=400)
    await review.review_due()
    assert await state(documents) == (State.UNWATCHED, "")
    assert (await status.look(OPERATOR)).is_fine  # it is counted, and no trouble
    assert (await status.look(OPERATOR)).counts[Condition.UNWATCHED] == 1
    assert await HealthChange.filter(health=Health.UNWATCHED).exists()


HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("pauses", "expected"),
    [
        ([DAY, DAY], DAY),
        ([DAY - HOUR, DAY + HOUR, DAY], DAY),
        ([7 * DAY, 7 * DAY], 7 * DAY),
        ([6 * HOUR] * 5, 6 * HOUR),
        ([DAY], None),  # two backups are no habit
        ([timedelta(minutes=5)] * 5, None),  # somebody tries things out
        ([DAY, timedelta(minutes=5), DAY], DAY),  # two archives of one run
        ([HOUR, 9 * DAY, HOUR], None),
    ],
)
def test_a_schedule_is_proposed_where_backups_keep_one(
    pauses: list[timedelta], expected: timedelta | None
) -> None:
    times = [NOW]
    for pause in pauses:
        times.append(times[-1] + pause)
    assert proposals.interval_of(times) == expected


async def test_only_backups_through_the_gate_make_a_proposal(
    people: People, time: list[datetime]
) -> None:
    info = await catalogue.add_repository(people.alice, "free", owner="alice")
    for days in (3, 2, 1):
        await review.note_backup(info.id, NOW - days * DAY, is_estimated=True)
        await add_session(info.id, minutes_ago=days * 1440, archive_created=ArchiveCreated.PARTIAL)
    assert await proposals.observed(info.id) is None
    for days in (3, 2, 1):
        await add_session(
            info.id,
            minutes_ago=days * 1440,
            archive_created=ArchiveCreated.YES,
            end_reason=EndReason.DONE,
        )
    assert await proposals.observed(info.id) == DAY
    await schedules.set_schedule(people.alice, info.id, ScheduleChange(every=DAY))
    assert await proposals.observed(info.id) is None
