from __future__ import annotations

import pytest

from hive.errors import NotFound
from hive.kinds import ShareLevel
from hive.services.health.states import Condition
from hive.services.lifecycle import trash
from hive.services.overview import dashboard
from hive.services.overview.attention import AttentionKind
from hive.services.overview.dashboard import Dashboard, DashboardQuery
from hive.services.overview.listing import Order
from hive.services.overview.repository_view import (
    Arrival,
    RepositoryViewQuery,
    repository_view,
)
from hive.services.permissions import OPERATOR
from hive.services.repositories.creation import CreateRepository, create
from tests.factories import People
from tests.web.rows import add_session

BY_NAME = DashboardQuery(order=Order.NAME)


def names(found: Dashboard) -> list[str]:
    return [one.name for one, _ in found.repositories]


async def test_the_figures_are_of_all_repositories_and_the_rows_of_those_that_fit(
    people: People,
) -> None:
    for name, tags in (("documents", ["home"]), ("photos", ["home"]), ("mail", [])):
        await create(people.alice, CreateRepository(name=name, tags=tags))
    found = await dashboard.dashboard(
        people.alice, DashboardQuery(order=Order.NAME, text="O", tag="home")
    )
    assert names(found) == ["documents", "photos"]
    assert (found.fitting, found.totals.total) == (2, 3)
    assert found.totals.counts == [(Condition.NEW, 3)]
    (line,) = found.attention
    assert line.kind == AttentionKind.UNREACHABLE
    assert [one.name for one in line.named] == ["documents", "mail", "photos"]
    assert not found.is_any_in_use


async def test_pages_follow_each_other_and_a_lost_place_leads_to_the_beginning(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard, "ROWS", 2)
    for name in ("a", "b", "c"):
        await create(people.alice, CreateRepository(name=name))
    first = await dashboard.dashboard(people.alice, BY_NAME)
    assert (names(first), first.fitting) == (["a", "b"], 3)
    rest = DashboardQuery(order=Order.NAME, after=first.next_after)
    last = await dashboard.dashboard(people.alice, rest)
    assert (names(last), last.next_after) == (["c"], None)
    lost = await dashboard.dashboard(people.alice, DashboardQuery(order=Order.NAME, after=4711))
    assert names(lost) == ["a", "b"]


async def test_nobody_sees_what_is_not_shared_with_them(people: People) -> None:
    await create(people.alice, CreateRepository(name="own"))
    shared = await create(
        people.alice, CreateRepository(name="shared", share_levels={"team": ShareLevel.VIEW})
    )
    found = await dashboard.dashboard(people.bob, BY_NAME)
    assert (names(found), found.totals.total) == (["shared"], 1)
    assert (await dashboard.dashboard(people.charlie, BY_NAME)).totals.total == 0
    query = RepositoryViewQuery()
    assert not (await repository_view(people.bob, shared.id, query)).head.may_manage
    assert (await repository_view(people.alice, shared.id, query)).head.may_manage
    with pytest.raises(NotFound):
        await repository_view(people.charlie, shared.id, query)


async def test_in_the_trash_nobody_looks_for_content(people: People) -> None:
    made = await create(people.alice, CreateRepository(name="documents"))
    query = RepositoryViewQuery()
    view = await repository_view(people.alice, made.id, query)
    assert view.content is not None
    assert view.arrival == Arrival.WAITING
    await trash.delete_repository(people.alice, made.id)
    view = await repository_view(people.alice, made.id, query)
    assert (view.content, view.arrival, view.reach) == (None, None, None)


async def test_what_a_day_received_is_of_what_one_may_see(people: People) -> None:
    for actor, name in ((people.alice, "a"), (people.bob, "b")):
        made = await create(actor, CreateRepository(name=name))
        for minutes in (5, 60, 25 * 60):
            await add_session(made.id, minutes_ago=minutes, bytes_in=1_000)
    for viewer, received in ((people.alice, 2_000), (people.charlie, 0), (OPERATOR, 4_000)):
        assert (await dashboard.dashboard(viewer, BY_NAME)).received == received
