"""The made-up hive: the states it is meant to show, by the rules that real ones go by."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from hive import clock
from hive.config.settings import Settings
from hive.errors import Conflict
from hive.kinds import Health
from hive.models import Delivery, Event, Notification, Repository, Session, User
from hive.services.demo import seeding
from hive.services.demo.shapes import SHAPES, Shape, days_of
from hive.services.demo.timeline import RunKind, timeline
from hive.services.health import review
from hive.services.health.states import Condition
from hive.services.overview import summaries
from hive.services.permissions import OPERATOR

GRACE = timedelta(hours=6)
WANTED = {
    Condition.CRITICAL: 2,
    Condition.DOWN: 2,
    Condition.LATE: 14,
    Condition.RUNNING: 2,
    Condition.FINE: 5,
    Condition.UNWATCHED: 3,
    Condition.NEW: 4,
    Condition.PAUSED: 1,
}


async def conditions() -> Counter[Condition]:
    return Counter(one.condition for one in await summaries.summaries(OPERATOR))


async def test_the_demo_has_every_state_and_the_rules_agree(hive: Settings) -> None:
    made = await seeding.seed(password="a password for tests")
    assert (made.name, made.repositories) == ("anna", 33)
    assert await User.all().count() == 12
    assert await conditions() == WANTED
    before = await Event.all().count()
    assert await review.review_due() == 0  # what the schedules say is what is stored
    assert await conditions() == WANTED
    assert await Event.all().count() == before
    assert await Notification.all().count() == 0
    assert await Delivery.all().count() == 0


async def test_history_goes_back_ninety_days_in_the_order_of_time(hive: Settings) -> None:
    await seeding.seed()
    for table, column in ((Session, "started_at"), (Event, "at")):
        rows = await table.all().order_by("id").values(column)
        times: list[datetime] = [row[column] for row in rows]
        assert all(one <= two for one, two in pairwise(times))
        assert timedelta(days=85) < clock.now() - min(times) < timedelta(days=500)
        assert max(times) <= clock.now()
    assert await Session.filter(ended_at=None).count() == 3


async def test_a_demo_is_made_in_an_empty_database_only(hive: Settings) -> None:
    await seeding.seed(repositories=3, days=3)
    with pytest.raises(Conflict, match="a new data directory"):
        await seeding.seed()
    assert await Repository.all().count() == 3


async def test_more_repositories_than_shapes_are_of_the_same_shapes(hive: Settings) -> None:
    await seeding.seed(repositories=70, days=5)
    assert await Repository.all().count() == 70
    assert {"paperless", "paperless-2"} <= set(
        await Repository.all().values_list("name", flat=True)
    )
    assert (await conditions())[Condition.PAUSED] == 2
    assert await review.review_due() == 0


@pytest.mark.parametrize("hour", range(0, 24, 3))
@pytest.mark.parametrize("month", [1, 3, 6, 10])
def test_the_states_are_the_same_at_any_time_of_any_day(hour: int, month: int) -> None:
    now = datetime(2027, month, 28, hour, 7, 11, tzinfo=UTC)
    found = Counter(timeline(shape, now, GRACE, 90, seed=1).health for shape in SHAPES)
    assert found == {
        Health.LATE: 14,
        Health.FINE: 8,
        Health.NEW: 5,
        Health.UNWATCHED: 3,
        Health.DOWN: 2,
        Health.PAUSED: 1,
    }


def test_days_become_what_they_stand_for() -> None:
    shape = Shape("x", "anna", size=10.0, growth=1.0, end="mlxfm", due=3.0, age=5)
    dice = random.Random(1)  # noqa: S311 - they decide nothing here
    assert days_of(shape, 90, dice) == "mlxfm"
    now = datetime(2027, 1, 28, 12, tzinfo=UTC)
    past = timeline(shape, now, GRACE, 90, seed=1)
    kinds = [run.kind for run in past.runs]
    assert kinds == [RunKind.MADE, RunKind.MADE, RunKind.FAILED, RunKind.MADE]
    assert [turn.health for turn in past.turns] == [
        *(Health.LATE, Health.FINE),  # l
        *(Health.LATE, Health.DOWN, Health.FINE),  # x, f, and the last m
    ]
    assert past.health == Health.FINE
