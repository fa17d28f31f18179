"""By how much a repository has changed: the same in a digest and in the list of all."""

from __future__ import annotations

from datetime import timedelta

from hive.kinds import Health
from hive.models import Notification, Repository, Statistic, User
from hive.services.measurements import trends
from hive.services.notifications import digests
from hive.services.storage import sizes
from tests import factories
from tests.factories import People
from tests.services.notifications.support import NOON, at, webhook

WEEK = timedelta(weeks=1)
HOUR = timedelta(hours=1)
GB = 10**9


async def measured(repository_id: int, *history: tuple[timedelta, int]) -> None:
    """Sizes by how long ago they were measured, the last one is that of now."""
    for ago, size in history:
        await Statistic.create(repository_id=repository_id, at=NOON - ago, size_bytes=size)
    await Repository.filter(id=repository_id).update(size_bytes=history[-1][1])


async def test_what_came_before_the_first_measurement_of_the_week_counts(people: People) -> None:
    """The backup an hour into the week brought 40 GB: a digest once began to count behind it."""
    await User.all().update(created_at=NOON - 2 * WEEK)  # who is new has missed no digest
    await webhook(people.alice, "https://example.org/hook")
    info = await factories.make_repository(people.alice, "documents")
    await measured(info.id, (WEEK + HOUR, 10 * GB), (WEEK - HOUR, 50 * GB), (HOUR, 51 * GB))
    await Repository.filter(id=info.id).update(
        health=Health.FINE, last_backup_at=NOON - HOUR, created_at=NOON - 2 * WEEK
    )
    at(NOON)

    assert await sizes.changes([info.id], NOON - WEEK) == {info.id: 41 * GB}
    assert await trends.week_changes([info.id]) == {info.id: 41 * GB}
    assert await digests.write_due() == 1
    row = await Notification.filter(kind="digest").get()
    assert "+41.00 GB" in row.text


async def test_a_change_is_not_known_of_what_was_not_measured_before(people: People) -> None:
    at(NOON)
    young = await factories.make_repository(people.alice, "young")
    old = await factories.make_repository(people.alice, "old")
    asleep = await factories.make_repository(people.alice, "asleep")
    await measured(young.id, (WEEK - HOUR, 10 * GB), (HOUR, 12 * GB))
    await measured(old.id, (WEEK, 3 * GB), (HOUR, GB))
    await measured(asleep.id, (sizes.WINDOW + HOUR, 3 * GB))
    found = await sizes.changes([young.id, old.id, asleep.id], NOON - WEEK)
    assert found == {old.id: -2 * GB}
    assert await trends.week_changes([young.id, old.id, asleep.id]) == found
