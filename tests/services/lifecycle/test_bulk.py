"""Several repositories changed with one call."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hive import clock
from hive.errors import InvalidInput
from hive.kinds import ShareLevel
from hive.models import AuditEntry, Event, Repository
from hive.services.health import infos as health_info
from hive.services.health.schedules import ScheduleChange
from hive.services.lifecycle import bulk
from hive.services.lifecycle.bulk import ChangeMany, Part
from hive.services.notifications import channels, rules
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


async def test_a_preview_says_from_what_to_what_and_changes_nothing(people: People) -> None:
    ids = await three(people)
    wanted = ChangeMany(
        repository_ids=[*ids, 4711],
        schedule=ScheduleChange(every=timedelta(hours=12)),
        add_tags=["home"],
        quota_bytes=10**9,
        share_levels={"team": ShareLevel.MANAGE},
    )
    before = [await Repository.get(id=one).values() for one in ids]
    events, records = await Event.all().count(), await AuditEntry.all().count()
    found = await bulk.preview_many(people.alice, wanted)
    assert [await Repository.get(id=one).values() for one in ids] == before
    assert (await Event.all().count(), await AuditEntry.all().count()) == (events, records)
    first, _, refused, unknown = found
    assert [(one.part, one.former, one.new) for one in first.differences] == [
        (Part.QUOTA, None, 10**9),
        (Part.SCHEDULE, "not watched", "every 12 hours"),
        (Part.TAGS, (), ("home",)),
        (Part.SHARES, (), (("team", ShareLevel.MANAGE),)),
    ]
    assert refused.name == "music"
    assert refused.refusal is not None
    assert (unknown.name, unknown.differences) == ("", ())
    # It then does just that, and is nothing to do a second time.
    assert (await bulk.change_many(people.alice, wanted)).changed == 2
    again = await bulk.preview_many(people.alice, wanted)
    assert [one.differences for one in again[:2]] == [[], []]


async def test_a_preview_finds_the_same_wrong_values(people: People) -> None:
    ids = await three(people)
    with pytest.raises(InvalidInput) as caught:
        await bulk.preview_many(people.alice, ChangeMany(repository_ids=ids, quota_bytes=1))
    assert caught.value.field == "quota"


async def test_a_pause_is_ended_where_there_is_one(people: People) -> None:
    ids = (await three(people))[:2]
    until = clock.now() + timedelta(days=3)
    await bulk.change_many(people.alice, ChangeMany(repository_ids=ids[:1], pause_until=until))
    done = await bulk.change_many(people.alice, ChangeMany(repository_ids=ids, resume=True))
    assert (done.changed, done.refusals) == (2, [])
    health = await health_info.health_info(people.alice, ids[0])
    assert health.paused_until is None


async def test_a_channel_gets_a_rule_for_each_and_joins_the_one_there_is(people: People) -> None:
    ids = (await three(people))[:2]
    settings = {"server": "https://ntfy.example.org", "topic": "backups"}
    made = [
        await channels.add(people.alice, name, owner="alice", kind="ntfy", settings=settings)
        for name in ("phone", "tablet")
    ]
    for channel in (*made, made[0]):
        wanted = ChangeMany(repository_ids=ids, channel_id=channel.id)
        assert (await bulk.change_many(people.alice, wanted)).changed == 2
    found = await rules.list_rules(people.alice, "alice")
    assert sorted((one.name, one.repository, tuple(sorted(one.channels))) for one in found) == [
        ("documents: phone", "documents", ("phone", "tablet")),
        ("photos: phone", "photos", ("phone", "tablet")),
    ]
    refused = ChangeMany(repository_ids=ids, channel_id=4711)
    assert (await bulk.change_many(people.alice, refused)).changed == 0
