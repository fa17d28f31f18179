"""Several repositories changed with one call."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hive import clock
from hive.errors import InvalidInput
from hive.kinds import ShareLevel
from hive.services.health import infos as health_info
from hive.services.health.schedules import ScheduleChange
from hive.services.lifecycle import bulk
from hive.services.lifecycle.bulk import ChangeMany
from hive.services.repositories import catalogue
from tests.factories import People


async def three(people: People) -> list[int]:
    """Two of alice, and one of bob that alice merely sees."""
    made = [
        await catalogue.add_repository(people.alice, "documents", owner="alice"),
        await catalogue.add_repository(people.alice, "photos", owner="alice"),
        await catalogue.add_repository(
            people.bob, "music", owner="bob", share_levels={"team": ShareLevel.VIEW}
        ),
    ]
    return [one.id for one in made]


async def test_each_is_changed_and_what_is_refused_is_named(people: People) -> None:
    ids = await three(people)
    wanted = ChangeMany(
        repository_ids=[*ids, ids[0], 4711],
        schedule=ScheduleChange(every=timedelta(hours=12)),
        add_tags=["home"],
        quota_bytes=10**9,
        pause_until=clock.now() + timedelta(days=3),
    )
    done = await bulk.change_many(people.alice, wanted)
    assert done.changed == 2
    assert [(one.repository_id, one.name) for one in done.refusals] == [
        (ids[2], "music"),
        (4711, ""),
    ]
    assert all(one.reason for one in done.refusals)
    for repository_id in ids[:2]:
        health = await health_info.health_info(people.alice, repository_id)
        assert health.schedule.every == timedelta(hours=12)
        assert health.tags == ("home",)
        assert health.paused_until is not None
        assert (await catalogue.info_by_id(repository_id)).quota_bytes == 10**9
    untouched = await health_info.health_info(people.bob, ids[2])
    assert untouched.tags == ()


async def test_one_repository_is_changed_as_a_whole_or_not_at_all(people: People) -> None:
    ids = await three(people)
    await catalogue.add_repository(people.bob, "photos", owner="bob")
    wanted = ChangeMany(repository_ids=ids[:2], owner="bob", add_tags=["moved"])
    done = await bulk.change_many(people.admin, wanted)
    assert done.changed == 1
    (refusal,) = done.refusals
    assert refusal.name == "photos"
    assert "of this owner already" in refusal.reason
    health = await health_info.health_info(people.alice, ids[1])
    assert health.tags == ()
    assert (await catalogue.info_by_id(ids[0])).owner == "bob"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"schedule": ScheduleChange(cron="nonsense")}, "cron"),
        ({"add_tags": ["a/b"]}, "tag"),
        ({"quota_bytes": 1}, "quota"),
        ({}, "action"),
        ({"repository_ids": [], "no_quota": True}, "repositories"),
        ({"repository_ids": range(1, 1000), "no_quota": True}, "repositories"),
    ],
)
async def test_wrong_values_are_said_once_and_change_nothing(
    people: People, given: dict[str, object], field: str
) -> None:
    ids = await three(people)
    wanted = ChangeMany(**{"repository_ids": ids, **given})  # type: ignore[arg-type]
    with pytest.raises(InvalidInput) as caught:
        await bulk.change_many(people.alice, wanted)
    assert caught.value.field == field
