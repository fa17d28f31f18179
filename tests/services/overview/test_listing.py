"""The list as the database finds it: the same states as Python tells, in any order, in pages."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from hive import clock
from hive.kinds import EventKind, Health, ShareLevel
from hive.models import Alarm, Repository, RepositoryTag, Statistic
from hive.services.alarms import server_alarms
from hive.services.alarms.server_alarms import Trouble
from hive.services.health.states import Condition
from hive.services.overview import summaries
from hive.services.overview.listing import Group, Listing, ListQuery, Order
from hive.services.permissions import OPERATOR, Actor
from hive.services.repositories import catalogue, tags
from tests import factories
from tests.factories import People
from tests.web.rows import RUNNING, add_session


async def _all(actor: Actor, query: ListQuery, length: int = 3) -> list[int]:
    """The ids on all pages, and that no page repeats what was on another."""
    listing = await Listing.open(actor)
    found: list[int] = []
    after: int | None = None
    while True:
        page = await listing.page(replace(query, after=after), length)
        found += [one.id for one in page.rows]
        after = page.next_after
        if after is None:
            assert len(set(found)) == len(found)
            return found


async def _every_state(people: People) -> None:
    """A repository for each way in which health, alarm, maintenance and session come together."""
    for number, (health, is_critical, is_busy, is_running) in enumerate(
        itertools.product(Health, (False, True), (None, "An import."), (False, True))
    ):
        made = await factories.make_repository(people.alice, f"r{number}")
        await Repository.filter(id=made.id).update(health=health, maintenance=is_busy)
        if is_critical:
            await Alarm.create(
                repository_id=made.id,
                kind=EventKind.MASS_DELETION,
                level=1,
                message="Much is gone.",
                since=clock.now(),
            )
        if is_running:
            await add_session(made.id, **RUNNING)


@pytest.mark.parametrize("unknown", ["", "storage unavailable"])
async def test_the_database_tells_the_same_states_as_python(people: People, unknown: str) -> None:
    await _every_state(people)
    if unknown:
        trouble = Trouble(EventKind.STORAGE_UNAVAILABLE, "t", "Away.", unknown=unknown)
        await server_alarms.report("location:1", trouble)
    expected = {one.id: one.condition for one in await summaries.summaries(OPERATOR)}
    listing = await Listing.open(OPERATOR)
    totals = await listing.totals()
    assert totals.total == len(expected)
    for condition, count in totals.counts:
        ids = await _all(OPERATOR, ListQuery(state=condition), 50)
        assert set(ids) == {one for one, other in expected.items() if other == condition}
        assert count == len(ids)
        assert await listing.in_condition(condition).count() == count
    order = await _all(OPERATOR, ListQuery(), 7)
    ranks = [list(Condition).index(expected[one]) for one in order]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("group", list(Group))
@pytest.mark.parametrize("order", list(Order))
async def test_pages_follow_each_other_in_each_order_and_the_other_way_round(
    people: People, order: Order, group: Group
) -> None:
    now = clock.now()
    for number in range(7):
        made = await factories.make_repository(people.alice, f"r{number * 5 % 7}")
        await Repository.filter(id=made.id).update(
            last_backup_at=None if number % 3 == 0 else now - timedelta(hours=number),
            due_at=None if number % 2 == 0 else now + timedelta(hours=number % 4),
            size_bytes=None if number == 4 else number % 3,
        )
        if number % 3:
            await RepositoryTag.create(repository_id=made.id, tag=f"t{number % 2}")
        for days in (8, 0):
            at = now - timedelta(days=days)
            await Statistic.create(repository_id=made.id, at=at, size_bytes=number * (9 - days))
    wanted = ListQuery(order=order, group=group)
    there = await _all(people.alice, wanted)
    back = await _all(people.alice, replace(wanted, is_reversed=True))
    assert len(there) == 7
    if group == Group.NONE:
        assert back == there[::-1]
    assert await _all(people.alice, wanted, 50) == there


async def test_what_is_nearly_full_comes_before_what_is_fine(people: People) -> None:
    for name, size in (("a", 10), ("b", 95), ("c", 20)):
        made = await catalogue.add_repository(people.alice, name, owner="alice", quota_bytes=10**9)
        await Repository.filter(id=made.id).update(health=Health.FINE, size_bytes=size * 10**7)
    names = {row.id: row.name for row in await Repository.all()}
    assert [names[one] for one in await _all(people.alice, ListQuery())] == ["b", "a", "c"]


async def test_nobody_counts_or_finds_what_they_may_not_see(people: People) -> None:
    for name, share in (("own", {}), ("shared", {"team": ShareLevel.VIEW})):
        await catalogue.add_repository(people.alice, name, owner="alice", share_levels=share)
    for actor, count in ((people.alice, 2), (people.bob, 1), (people.charlie, 0), (OPERATOR, 2)):
        listing = await Listing.open(actor)
        assert (await listing.totals()).total == count
        assert len(await _all(actor, ListQuery(text="alice"))) == count


async def test_the_search_knows_letters_of_any_language_in_any_case(people: People) -> None:
    made = await factories.make_repository(people.alice, "laptop")
    await tags.replace_tags(people.alice, made.id, ["Müller"])
    for text in ("müller", "MÜLLER", "#MÜLL", "ÜLLE"):
        assert await _all(people.alice, ListQuery(text=text)) == [made.id], text
    assert await _all(people.alice, ListQuery(text="muller")) == []
