"""What becomes of a repository whose backups come, or do not; with a clock that is moved."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from tortoise.connection import get_connection

from hive import background, clock, database
from hive.borg.ledger import Facts, Transaction
from hive.errors import Conflict, Forbidden, HiveError, InvalidInput, NotFound
from hive.kinds import Access, EndReason, EventKind, Health, Need, ShareLevel
from hive.models import AuditEntry, Event, HealthChange, Preference, Repository, Session, User
from hive.services.health import infos as health_info
from hive.services.health import review, schedules
from hive.services.health.schedules import ScheduleChange
from hive.services.keys import grants
from hive.services.lifecycle import trash
from hive.services.permissions import OPERATOR, Actor
from hive.services.repositories import catalogue, tags
from hive.services.repositories.infos import RepositoryInfo
from hive.services.sessions import record
from tests import factories
from tests.factories import People

START = datetime(2026, 11, 20, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TOLD = (
    *(EventKind.LATE, EventKind.DOWN, EventKind.STILL_DOWN, EventKind.RECOVERED),
    *(EventKind.PAUSED, EventKind.RESUMED, EventKind.MUTED, EventKind.ACKNOWLEDGED),
    *(EventKind.SCHEDULE_BROKEN, EventKind.ALARM_ENDED),
)


class Time:
    """The clock of these tests."""

    def __init__(self) -> None:
        self.at = START
        clock.use(lambda: self.at)

    async def pass_by(self, span: timedelta, *, step: timedelta = HOUR / 2) -> None:
        """Let time pass, with a look at the schedules at each step."""
        end = self.at + span
        while self.at < end:
            self.at = min(self.at + step, end)
            await review.review_due()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def documents(time: Time, people: People) -> RepositoryInfo:
    """A repository that wants a backup a day, and had one right now."""
    made = await factories.make_repository(people.alice)
    change = ScheduleChange(every=DAY, grace=6 * HOUR)
    await schedules.set_schedule(people.alice, made.id, change)
    await review.note_backup(made.id, time.at)
    return made


async def row_of(info: RepositoryInfo) -> Repository:
    return await Repository.get(id=info.id)


async def told(info: RepositoryInfo, *, muted: bool = False) -> list[EventKind]:
    rows = await Event.filter(repository_id=info.id, kind__in=TOLD).order_by("id")
    return [row.kind for row in rows if bool(row.details.get("muted")) == muted]


async def last(info: RepositoryInfo, kind: EventKind) -> Event:
    found = await Event.filter(repository_id=info.id, kind=kind).order_by("-id").first()
    assert found is not None
    return found


async def test_a_missing_backup_is_late_then_down_and_its_coming_is_told(
    documents: RepositoryInfo, time: Time
) -> None:
    await time.pass_by(23 * HOUR)
    assert await told(documents) == []
    await time.pass_by(HOUR)
    assert await told(documents) == [EventKind.LATE]
    await time.pass_by(6 * HOUR)
    assert await told(documents) == [EventKind.LATE, EventKind.DOWN]
    down = await last(documents, EventKind.DOWN)
    assert down.message == (
        "No backup since 2026-11-20 03:12 UTC, 1 day ago; one was due every day."
        " No key opens this repository."
    )
    assert down.details == {
        "causes": ["No key opens this repository."],
        "health": "down",
        "former": "late",
        "since": "2026-11-21T03:12:00Z",
        "lasted_seconds": 6 * 3600,
        "due_at": "2026-11-21T03:12:00Z",
        "down_at": "2026-11-21T09:12:00Z",
        "last_backup_at": "2026-11-20T03:12:00Z",
        "grace_seconds": 6 * 3600,
    }
    await time.pass_by(2 * HOUR)
    await review.note_backup(documents.id, time.at)
    recovered = await last(documents, EventKind.RECOVERED)
    assert recovered.message == (
        "A backup was made, 8 hours after it was due; the repository was down for 2 hours."
    )
    assert recovered.details["former"] == "down"
    assert recovered.details["since"] == "2026-11-21T09:12:00Z"
    assert recovered.details["lasted_seconds"] == 2 * 3600
    changes = await HealthChange.filter(repository_id=documents.id).order_by("id")
    assert [(row.former, row.health) for row in changes] == [
        (Health.UNWATCHED, Health.NEW),
        (Health.NEW, Health.FINE),
        (Health.FINE, Health.LATE),
        (Health.LATE, Health.DOWN),
        (Health.DOWN, Health.FINE),
    ]
    assert [row.lasted_seconds for row in changes][2:] == [24 * 3600, 6 * 3600, 2 * 3600]


async def test_a_repository_that_was_never_written_goes_down(time: Time, people: People) -> None:
    made = await factories.make_repository(people.alice)
    await schedules.set_schedule(people.alice, made.id, ScheduleChange(cron="0 3 * * *"))
    assert (await row_of(made)).health == Health.NEW
    await time.pass_by(31 * HOUR)
    assert await told(made) == [EventKind.LATE, EventKind.DOWN]
    assert (await last(made, EventKind.DOWN)).message == (
        "No backup yet since the repository was added 1 day ago; one was due every day at"
        " 03:00, UTC. No key opens this repository."
    )


async def test_only_a_session_that_made_an_archive_is_a_backup(
    documents: RepositoryInfo, people: People, time: Time
) -> None:
    key = await factories.make_key(people.alice)
    await grants.change_access(
        OPERATOR, documents.id, grants.ChangeAccess(accesses={key.fingerprint: Access.FULL})
    )
    await time.pass_by(31 * HOUR)
    for archives, expected in ((0, Health.DOWN), (1, Health.FINE)):
        admission = await factories.open_session(documents, key)
        assert (await health_info.health_info(OPERATOR, documents.id)).is_backing_up
        put = Transaction(puts=3, put_bytes=1000)
        facts = Facts(is_open=True, exclusive=True, commits=1, eof=True)
        facts = replace(facts, archives=archives, committed=put, first=put)
        outcome = record.Outcome(
            end_reason=EndReason.DONE, exit_status=0, bytes_in=1, bytes_out=1, facts=facts
        )
        await record.finish(admission.session_id, outcome)
        assert (await row_of(documents)).health == expected
    recovered = await last(documents, EventKind.RECOVERED)
    assert recovered.session_id == admission.session_id


async def test_reminders_come_at_the_owners_interval_until_they_expire(
    documents: RepositoryInfo, time: Time
) -> None:
    await time.pass_by(30 * HOUR)
    await time.pass_by(12 * HOUR)
    still = await last(documents, EventKind.STILL_DOWN)
    assert still.message.startswith("Still no backup, for 12 hours now. No backup since 2026-11-20")
    await time.pass_by(20 * DAY, step=2 * HOUR)
    assert (await told(documents)).count(EventKind.STILL_DOWN) == 10  # 5 days, twice a day
    assert (await row_of(documents)).look_at is None


async def test_another_interval_holds_at_once_and_has_a_limit(
    documents: RepositoryInfo, people: People, time: Time
) -> None:
    await time.pass_by(31 * HOUR)
    wish = await Preference.create(
        user_id=people.alice.user_id, reminder_hours=5, expiration_days=1
    )
    await review.preference_changed(people.alice.user_id or 0)
    assert (await row_of(documents)).remind_at == START + 35 * HOUR
    wish.reminder_hours = 1000
    await wish.save()
    await review.preference_changed(people.alice.user_id or 0)
    assert (await row_of(documents)).remind_at is None  # 48 hours, and that is after the end
    wish.reminder_hours, wish.expiration_days = 5, 1000
    await wish.save()
    await review.preference_changed(people.alice.user_id or 0)
    await time.pass_by(60 * DAY, step=5 * HOUR)
    assert (await told(documents)).count(EventKind.STILL_DOWN) == 30 * 24 // 5


async def test_who_acknowledges_is_not_reminded(
    documents: RepositoryInfo, people: People, time: Time
) -> None:
    with pytest.raises(Conflict, match="no missing backup"):
        await schedules.acknowledge(people.alice, documents.id)
    await time.pass_by(31 * HOUR)
    await schedules.acknowledge(people.alice, documents.id)
    with pytest.raises(Conflict, match="alice has acknowledged"):
        await schedules.acknowledge(people.alice, documents.id)
    await time.pass_by(3 * DAY)
    assert EventKind.STILL_DOWN not in await told(documents)
    info = await health_info.health_info(people.alice, documents.id)
    assert (info.acknowledged_by, info.acknowledged_at) == ("alice", START + 31 * HOUR)
    await review.note_backup(documents.id, time.at)
    await time.pass_by(2 * DAY)  # the next trouble is told anew
    assert (await told(documents))[-2:] == [EventKind.DOWN, EventKind.STILL_DOWN]
    assert (await row_of(documents)).acknowledged_by is None


async def test_while_muted_nothing_is_told_and_after_it_what_still_is(
    documents: RepositoryInfo, people: People, time: Time
) -> None:
    await schedules.mute(people.alice, documents.id, time.at + 3 * DAY)
    await time.pass_by(3 * DAY - HOUR)
    assert await told(documents) == [EventKind.MUTED]
    assert await told(documents, muted=True) == [EventKind.LATE, EventKind.DOWN]
    await time.pass_by(HOUR)
    assert await told(documents) == [EventKind.MUTED, EventKind.DOWN]
    assert (await row_of(documents)).alerted_at == START + 3 * DAY
    await time.pass_by(12 * HOUR)
    assert (await told(documents))[-1] == EventKind.STILL_DOWN


async def test_a_recovery_is_told_to_who_knew_of_the_trouble(
    documents: RepositoryInfo, people: People, time: Time
) -> None:
    await time.pass_by(31 * HOUR)
    await schedules.mute(people.alice, documents.id, time.at + 3 * DAY)
    await time.pass_by(DAY)
    assert EventKind.STILL_DOWN not in await told(documents)
    await review.note_backup(documents.id, time.at)
    assert (await told(documents))[-1] == EventKind.RECOVERED
    await time.pass_by(31 * HOUR)
    await review.note_backup(documents.id, time.at)  # of this one nobody knew
    assert (await told(documents))[-1] == EventKind.RECOVERED
    assert (await told(documents, muted=True))[-3:] == [
        EventKind.LATE,
        EventKind.DOWN,
        EventKind.RECOVERED,
    ]


async def test_unmuting_tells_at_once(
    documents: RepositoryInfo, people: People, time: Time
) -> None:
    with pytest.raises(Conflict, match="not muted"):
        await schedules.unmute(people.alice, documents.id)
    await schedules.mute(people.alice, documents.id, time.at + 30 * DAY)
    await time.pass_by(2 * DAY)
    await schedules.unmute(people.alice, documents.id)
    assert await told(documents) == [EventKind.MUTED, EventKind.DOWN]


async def test_a_pause_is_told_ends_by_itself_and_is_no_alarm(
    documents: RepositoryInfo, people: People, time: Time
) -> None:
    await schedules.pause(people.alice, documents.id, time.at + 10 * DAY)
    await time.pass_by(10 * DAY - HOUR, step=6 * HOUR)
    assert (await row_of(documents)).health == Health.PAUSED
    assert await told(documents) == [EventKind.PAUSED]
    await time.pass_by(HOUR)
    assert await told(documents) == [EventKind.PAUSED, EventKind.RESUMED, EventKind.LATE]
    await time.pass_by(29 * HOUR)  # a day to make one, and the grace
    assert EventKind.DOWN not in await told(documents)
    await time.pass_by(HOUR)
    assert (await told(documents))[-1] == EventKind.DOWN


async def test_pausing_what_is_down_and_a_backup_meanwhile(
    documents: RepositoryInfo, people: People, time: Time
) -> None:
    await time.pass_by(31 * HOUR)
    await schedules.pause(people.alice, documents.id, time.at + 10 * DAY)
    row = await row_of(documents)
    assert (row.health, row.alerted_at, row.remind_at) == (Health.PAUSED, None, None)
    await time.pass_by(DAY)
    await review.note_backup(documents.id, time.at)
    assert (await row_of(documents)).health == Health.PAUSED
    await schedules.resume(people.alice, documents.id)
    assert (await row_of(documents)).health == Health.FINE
    assert (await told(documents))[2:] == [EventKind.PAUSED, EventKind.RESUMED]
    assert "ended by alice" in (await last(documents, EventKind.RESUMED)).message
    with pytest.raises(Conflict, match="not paused"):
        await schedules.resume(people.alice, documents.id)


async def test_a_pause_or_mute_ends_within_a_year(
    documents: RepositoryInfo, people: People, time: Time
) -> None:
    for change in (schedules.pause, schedules.mute):
        with pytest.raises(InvalidInput, match="is in the past"):
            await change(people.alice, documents.id, time.at)
        with pytest.raises(InvalidInput, match="within 366 days"):
            await change(people.alice, documents.id, time.at + 367 * DAY)


async def test_a_running_session_keeps_it_from_going_down_for_a_while(
    documents: RepositoryInfo, people: People, time: Time
) -> None:
    await time.pass_by(29 * HOUR)
    session = await Session.create(
        repository_id=documents.id,
        login=documents.login,
        key_fingerprint="x",
        key_name="laptop",
        peer="192.0.2.7",
        command="borg serve",
        need=Need.BORG,
        mode=documents.mode,
        access=Access.READ_ONLY,
        started_at=time.at,
        node="here",
    )
    await time.pass_by(HOUR)
    assert (await row_of(documents)).health == Health.DOWN  # who only reads makes no backup
    await review.note_backup(documents.id, START + DAY)
    session.access = Access.APPEND_ONLY
    await session.save()
    await time.pass_by(46 * HOUR)
    assert (await row_of(documents)).health == Health.LATE
    assert (await health_info.health_info(people.alice, documents.id)).is_backing_up
    await time.pass_by(HOUR)  # 48 hours after it was opened it is believed no longer
    assert (await row_of(documents)).health == Health.DOWN


async def test_a_changed_schedule_changes_the_health_at_once(
    documents: RepositoryInfo, people: People, time: Time
) -> None:
    await time.pass_by(31 * HOUR)
    await schedules.set_schedule(people.alice, documents.id, ScheduleChange(every=7 * DAY))
    row = await row_of(documents)
    assert (row.health, row.look_at) == (Health.FINE, START + 7 * DAY)
    assert "By the present schedule" in (await last(documents, EventKind.RECOVERED)).message
    await schedules.set_schedule(people.alice, documents.id, ScheduleChange(every=30 * HOUR))
    assert (await row_of(documents)).health == Health.LATE
    await schedules.set_schedule(people.alice, documents.id, ScheduleChange(grace=HOUR / 2))
    assert (await row_of(documents)).health == Health.DOWN
    await schedules.set_schedule(people.alice, documents.id, ScheduleChange(no_schedule=True))
    row = await row_of(documents)
    assert (row.health, row.look_at, row.schedule_seconds) == (Health.UNWATCHED, None, None)


async def test_a_time_zone_is_the_owners_unless_said(
    documents: RepositoryInfo, people: People
) -> None:
    await User.filter(name="alice").update(timezone="Europe/Berlin")
    change = ScheduleChange(cron="0  3 * * *")
    await schedules.set_schedule(people.alice, documents.id, change)
    row = await row_of(documents)
    assert (row.schedule_cron, row.schedule_timezone) == ("0 3 * * *", "Europe/Berlin")
    change = ScheduleChange(timezone="Asia/Tokyo")
    await schedules.set_schedule(people.alice, documents.id, change)
    assert (await row_of(documents)).schedule_timezone == "Asia/Tokyo"
    for wrong in (
        ScheduleChange(every=DAY, cron="0 3 * * *"),
        ScheduleChange(every=DAY, timezone="UTC"),
        ScheduleChange(cron="0 3 * *"),
        ScheduleChange(grace=-HOUR),
        ScheduleChange(grace=HOUR, default_grace=True),
    ):
        with pytest.raises(InvalidInput):
            await schedules.set_schedule(people.alice, documents.id, wrong)
    assert (await row_of(documents)).schedule_timezone == "Asia/Tokyo"


async def test_what_is_in_the_trash_never_alarms_and_is_looked_at_when_it_is_back(
    documents: RepositoryInfo, people: People, time: Time
) -> None:
    await trash.delete_repository(people.alice, documents.id)
    await time.pass_by(3 * DAY)
    assert await told(documents) == []
    await trash.restore_repository(people.alice, documents.id)
    row = await row_of(documents)
    assert row.health == Health.LATE  # but not down: nothing could be written
    await time.pass_by(DAY + 6 * HOUR)
    assert (await told(documents))[-1] == EventKind.DOWN


async def test_a_broken_row_is_told_once_and_stops_no_other(
    documents: RepositoryInfo, people: People, time: Time
) -> None:
    broken = await factories.make_repository(people.alice, "broken")
    await schedules.set_schedule(people.alice, broken.id, ScheduleChange(cron="0 3 * * *"))
    hopeless = await factories.make_repository(people.alice, "hopeless")
    await schedules.set_schedule(people.alice, hopeless.id, ScheduleChange(every=DAY))
    await Repository.filter(id=broken.id).update(schedule_cron="99 3 * *", look_at=START)
    await Repository.filter(id=hopeless.id).update(look_at=START)
    await get_connection("default").execute_query(
        "UPDATE repository SET schedule_kind = 'moon' WHERE name = 'hopeless'"
    )
    await time.pass_by(31 * HOUR)
    assert await told(documents) == [EventKind.LATE, EventKind.DOWN]
    assert await told(broken) == await told(hopeless) == [EventKind.SCHEDULE_BROKEN]
    assert "four fields" not in (await last(broken, EventKind.SCHEDULE_BROKEN)).message
    assert "4 fields, not five" in (await last(broken, EventKind.SCHEDULE_BROKEN)).message
    look_at = (await row_of(broken)).look_at
    assert look_at is not None
    assert time.at < look_at <= time.at + HOUR
    info = await health_info.health_info(people.alice, broken.id)
    assert (info.schedule.in_words, info.due_at) == ("cannot be followed", None)
    await review.note_backup(broken.id, time.at)  # a backup is kept all the same
    assert (await row_of(broken)).last_backup_at == time.at
    await schedules.set_schedule(people.alice, broken.id, ScheduleChange(every=DAY))
    assert (await row_of(broken)).health == Health.FINE
    assert (await told(broken))[-1] == EventKind.ALARM_ENDED


async def test_two_looks_at_once_tell_once(documents: RepositoryInfo, time: Time) -> None:
    time.at += 24 * HOUR
    await asyncio.gather(*(review.review_due() for _ in range(8)))
    time.at += 6 * HOUR
    await asyncio.gather(*(review.review_due() for _ in range(8)))
    assert await told(documents) == [EventKind.LATE, EventKind.DOWN]
    time.at += 12 * HOUR
    await asyncio.gather(*(review.review_due() for _ in range(8)))
    assert (await told(documents)).count(EventKind.STILL_DOWN) == 1


async def test_who_read_a_row_that_changed_since_writes_nothing(
    documents: RepositoryInfo, time: Time
) -> None:
    row = await row_of(documents)
    time.at += 24 * HOUR
    found = await review._look_closely(row)
    await review.note_backup(documents.id, time.at)
    assert not await review._write(row, found)
    assert (await row_of(documents)).health == Health.FINE


async def test_nothing_is_torn_wherever_a_look_is_cancelled(
    documents: RepositoryInfo, people: People, time: Time
) -> None:
    chance = random.Random(1711)  # noqa: S311 - no secret
    # how far each comes until it is cancelled is up to the machine
    for count in range(600):
        if count >= 60 and await HealthChange.filter(repository_id=documents.id).count() > 20:
            break
        time.at += 25 * HOUR if count % 2 else 6 * HOUR
        calls = [review.review_due(), review.note_backup(documents.id, time.at)]
        task = asyncio.ensure_future(calls.pop(0) if count % 4 else calls.pop(1))
        calls[0].close()
        for _ in range(chance.randrange(60)):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError, HiveError):
            await task
        while background.tasks:
            await asyncio.wait(set(background.tasks))
    await review.review_due()
    changes = await HealthChange.filter(repository_id=documents.id).order_by("id")
    assert len(changes) > 20
    for one, other in pairwise(changes):
        assert one.health == other.former  # each is told, in order
    assert (await row_of(documents)).health == changes[-1].health
    for kind, healths in (
        (EventKind.LATE, [Health.LATE]),
        (EventKind.DOWN, [Health.DOWN]),
    ):
        events = await Event.filter(repository_id=documents.id, kind=kind).count()
        assert events == len([row for row in changes if row.health in healths])


async def test_only_who_manages_a_repository_has_a_say(people: People, time: Time) -> None:
    made = await factories.make_repository(people.alice, share_with="team")
    await catalogue.set_repository(
        OPERATOR, made.id, share_with=["team"], share_level=ShareLevel.VIEW
    )
    later = time.at + DAY

    async def attempts(actor: Actor) -> list[Any]:
        return [
            lambda: schedules.set_schedule(actor, made.id, ScheduleChange(every=DAY)),
            lambda: schedules.pause(actor, made.id, later),
            lambda: schedules.resume(actor, made.id),
            lambda: schedules.mute(actor, made.id, later),
            lambda: schedules.unmute(actor, made.id),
            lambda: schedules.acknowledge(actor, made.id),
            lambda: tags.change_tags(actor, made.id, add=["x"]),
        ]

    for actor, error in ((people.bob, Forbidden), (people.charlie, NotFound)):
        for attempt in await attempts(actor):
            with pytest.raises(error):
                await attempt()
    assert (await health_info.health_info(people.bob, made.id)).health == Health.UNWATCHED
    assert await health_info.health_infos(people.charlie) == {}
    with pytest.raises(NotFound):
        await health_info.health_info(people.charlie, made.id)
    audited = {row.action for row in await AuditEntry.all()}
    assert not audited & {"repository.pause", "repository.schedule", "repository.tag"}
    await schedules.pause(people.alice, made.id, later)
    await tags.change_tags(people.alice, made.id, add=["Home.Server", "home.server", "ünder-way_1"])
    assert {row.action for row in await AuditEntry.all()} >= {"repository.pause", "repository.tag"}
    assert (await health_info.health_info(people.alice, made.id)).tags == (
        "home.server",
        "ünder-way_1",
    )
    assert await tags.list_tags(people.charlie) == {}
    assert await tags.list_tags(people.bob) == {"home.server": 1, "ünder-way_1": 1}


@pytest.mark.parametrize("text", ["", "two words", "a" * 51, "x;y", "x\ny", "#x"])
async def test_a_wrong_tag_is_told(documents: RepositoryInfo, people: People, text: str) -> None:
    with pytest.raises(InvalidInput, match="up to 50 letters"):
        await tags.change_tags(people.alice, documents.id, add=[text])


class _Count:
    """Counts the queries of the database."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.queries: list[str] = []
        connection = get_connection("default")
        for name in ("execute_query", "execute_query_dict", "execute_insert"):
            original = getattr(connection, name)
            monkeypatch.setattr(connection, name, self._counting(original))

    def _counting(self, original: Any) -> Any:
        async def counted(query: str, *given: Any, **named: Any) -> Any:
            self.queries.append(query)
            return await original(query, *given, **named)

        return counted


async def test_a_thousand_repositories_take_one_query_while_none_is_due(
    documents: RepositoryInfo, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await row_of(documents)
    copies = [
        Repository(
            name=f"r{number}",
            directory="r",
            login=f"login{number}",
            location_id=row.location_id,
            owner_id=row.owner_id,
            created_at=START,
            health_since=START,
            look_at=START + DAY,
        )
        for number in range(1000)
    ]
    await database.transactional(Repository.bulk_create)(copies)
    counted = _Count(monkeypatch)
    assert await review.review_due() == 0
    (tick_query,) = counted.queries
    plan = await get_connection("default").execute_query_dict(
        f"EXPLAIN QUERY PLAN {tick_query}", ["2026"]
    )
    assert "look_at" in str(plan)
    counted.queries.clear()
    assert len(await health_info.health_infos(OPERATOR)) == 1001
    assert len(counted.queries) == 6


async def test_rows_from_before_there_were_schedules_are_looked_at_once(
    documents: RepositoryInfo, time: Time
) -> None:
    await Repository.filter(id=documents.id).update(
        schedule_kind="none", health="new", health_since=None, look_at=None
    )
    await review.look_at_unseen()
    assert await review.review_due() == 1
    row = await row_of(documents)
    assert (row.health, row.health_since, row.look_at) == (Health.UNWATCHED, time.at, None)
    await review.look_at_unseen()
    assert await review.review_due() == 0
