"""When the server was off, or maintenance is announced: nothing is reported as missing for that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hive import clock
from hive.errors import Forbidden, InvalidInput, NotFound, RefusalCause
from hive.kinds import Access, EventKind, Health
from hive.models import Alarm, Delivery, Event, Key, Notification, Repository, User
from hive.services.alarms import alarms
from hive.services.alarms.rules import Finding
from hive.services.gate import refusals
from hive.services.health import causes, review, schedules
from hive.services.health import infos as health_info
from hive.services.health.schedules import ScheduleChange
from hive.services.keys import grants
from hive.services.notifications import digests, downtime_notices
from hive.services.outbox import downtimes
from hive.services.permissions import OPERATOR
from hive.services.repositories.infos import RepositoryInfo
from tests import factories
from tests.factories import People
from tests.services.notifications.support import webhook

START = datetime(2026, 11, 20, 3, 5, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
URL = "https://example.org/hook"


def at(when: datetime) -> None:
    clock.use(lambda: when)


@pytest.fixture
async def documents(people: People) -> RepositoryInfo:
    """Backed up at START, expected each day at 03:00, with six hours of grace."""
    at(START)
    await webhook(people.alice, URL)
    made = await factories.make_repository(people.alice)
    await schedules.set_schedule(people.alice, made.id, ScheduleChange(cron="0 3 * * *"))
    await review.note_backup(made.id, START)
    await downtimes.note_start()
    return made


async def said(kind: str) -> list[str]:
    return [row.title for row in await Notification.filter(kind=kind, user__name="alice")]


async def test_what_fell_into_a_downtime_is_one_message_and_has_its_time_again(
    people: People, documents: RepositoryInfo
) -> None:
    other = await factories.make_repository(people.alice, "other")
    await schedules.set_schedule(people.alice, other.id, ScheduleChange(every=12 * HOUR))
    await review.note_backup(other.id, START)
    at(START + 2 * HOUR)
    await downtimes.pulse()
    at(START + 28 * HOUR)  # after everything would have been down
    span = await downtimes.note_start()
    assert span is not None
    assert (span.begun_at, span.ended_at) == (START + 2 * HOUR, START + 28 * HOUR)
    await downtime_notices.tell(span)
    await review.review_due()
    assert await said("down") == []
    (title,) = await said("downtime")
    assert title == "Borg Hive was off for 1 day: 2 backups were due"
    text = (await Notification.get(kind="downtime", user__name="alice")).text
    assert "documents, other" in text
    assert "The server was off from 2026-11-20 05:05 UTC to 2026-11-21 07:05 UTC." in text
    rows = {row.name: row.health for row in await Repository.all()}
    assert rows == {"documents": Health.LATE, "other": Health.LATE}
    info = await health_info.health_info(people.alice, documents.id)
    assert info.down_at == datetime(2026, 11, 22, 9, tzinfo=UTC)
    at(START + 3 * DAY)
    await review.review_due()
    assert len(await said("down")) == 2  # the next one did not come either
    down = await Event.filter(kind=EventKind.DOWN, repository_id=documents.id).first()
    assert down is not None
    assert "The server was off from 2026-11-20 05:05 UTC" in down.message


async def test_a_restart_is_no_downtime(documents: RepositoryInfo) -> None:
    at(START + HOUR)
    await downtimes.pulse()
    at(START + HOUR + timedelta(seconds=90))
    assert await downtimes.note_start() is None
    assert await downtimes.spans() == ()


async def test_a_downtime_that_was_noted_while_the_clock_was_ahead_excuses_nothing(
    documents: RepositoryInfo,
) -> None:
    at(START + 400 * DAY)
    assert await downtimes.note_start() is not None
    at(START + 31 * HOUR)
    assert await downtimes.spans() == ()
    await review.review_due()
    assert (await Repository.get(id=documents.id)).health == Health.DOWN


async def test_maintenance_holds_alarms_back_until_it_is_over(
    people: People, documents: RepositoryInfo
) -> None:
    with pytest.raises(Forbidden):
        await downtimes.announce(people.alice, HOUR)
    with pytest.raises(InvalidInput):
        await downtimes.announce(people.admin, timedelta(days=15))
    at(START + 23 * HOUR)
    announced = await downtimes.announce(people.admin, 12 * HOUR)
    assert downtimes.shown() == announced
    at(START + 34 * HOUR)
    await review.review_due()
    assert await said("down") == []
    assert (await Repository.get(id=documents.id)).health == Health.LATE
    await _happen(documents.id, EventKind.SESSION_FAILED)
    await _happen(documents.id, EventKind.MASS_DELETION)
    held, now = await Delivery.filter(notification__user__name="alice").order_by("id")
    assert held.next_at == announced.until
    assert now.next_at == START + 34 * HOUR  # that is news at any time
    await downtimes.end(people.admin)
    assert (await Delivery.get(id=held.id)).next_at == START + 34 * HOUR
    assert downtimes.shown() is None
    with pytest.raises(NotFound):
        await downtimes.end(people.admin)


async def _happen(repository_id: int, kind: EventKind) -> None:
    await alarms.tell(repository_id, [Finding(kind, "It.")])


async def test_a_digest_looks_at_the_schedules_first(
    people: People, documents: RepositoryInfo
) -> None:
    await User.filter(name="alice").update(created_at=START - 30 * DAY)
    at(datetime(2026, 11, 23, 7, 1, tzinfo=UTC))  # a Monday; nobody has looked since
    await digests.write_due()
    (digest,) = await said("digest")
    assert digest == "Borg Hive, the last week: 1 down"


async def test_the_alarm_says_why_as_far_as_the_server_knows(
    people: People, documents: RepositoryInfo
) -> None:
    async def why() -> list[str]:
        row = await Repository.get(id=documents.id)
        return await causes.of_missing(row, START + DAY, START + 31 * HOUR)

    at(START + 25 * HOUR)
    assert await why() == ["No key opens this repository."]
    key = await factories.make_key(people.alice, "laptop")
    await grants.change_access(
        OPERATOR, documents.id, grants.ChangeAccess(accesses={"laptop": Access.FULL})
    )
    assert await why() == []
    await refusals.record(documents.id, RefusalCause.WRONG_NETWORK, "Not from 10.0.0.9.")
    assert await why() == ["The last login was refused at 2026-11-21 04:05 UTC: Not from 10.0.0.9."]
    await Key.filter(id=key.id).update(expires_at=START)
    assert await why() == ["Key laptop expired on 2026-11-20 03:05 UTC."]
    await User.filter(name="alice").update(keys_enabled=False)
    assert await why() == ["Key laptop is refused: the keys of its owner alice are disabled."]
    await User.filter(name="alice").update(enabled=False)
    assert await why() == ["Key laptop is refused: its owner alice is disabled."]
    await Alarm.create(
        repository_id=documents.id,
        kind=EventKind.QUOTA_FILLING,
        level=100,
        message="The quota is used to 100 %.",
        since=START,
    )
    assert (await why())[1:] == ["The quota is used to 100 %."]
    at(START + 31 * HOUR)
    await review.review_due()
    down = await Event.get(kind=EventKind.DOWN, repository_id=documents.id)
    assert "its owner alice is disabled." in down.message
    assert "The quota is used to 100 %." in down.message
