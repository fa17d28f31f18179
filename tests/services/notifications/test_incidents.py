"""Incidents that another service keeps: opened, acknowledged and resolved one by one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from hive.kinds import EventKind
from hive.notify.channel import Means
from hive.outgoing.client import Outgoing
from hive.services.delivery.courier import Courier
from hive.services.notifications import channels
from hive.services.repositories.infos import RepositoryInfo
from tests import factories
from tests.factories import People
from tests.notify.far_end import FarEnd
from tests.services.notifications.support import NOON, at, deliver, happen, later

Actions = Callable[[], list[tuple[str, str]]]


@pytest.fixture
async def pager(server: FarEnd) -> AsyncIterator[Courier]:
    """A courier for whom PagerDuty is the far end."""
    server.answers(202, {"message": "Event processed"})
    async with Outgoing(allowed_networks=["127.0.0.0/8"], timeout_seconds=2) as outgoing:
        yield Courier(Means(outgoing=outgoing, bases={"pagerduty": server.url}))


@pytest.fixture
async def repository(people: People) -> RepositoryInfo:
    at(NOON)
    settings = {"routing_key": "R" * 32}
    await channels.add(people.alice, "on-call", owner="alice", kind="pagerduty", settings=settings)
    return await factories.make_repository(people.alice)


@pytest.fixture
def actions(server: FarEnd) -> Actions:
    def of_all() -> list[tuple[str, str]]:
        sent: list[dict[str, Any]] = [one.json() for one in server.received]
        return [(one["event_action"], one["dedup_key"].rpartition("/")[2]) for one in sent]

    return of_all


async def test_a_small_recovery_does_not_resolve_the_big_alarm(
    repository: RepositoryInfo, pager: Courier, actions: Actions
) -> None:
    await happen(repository.id, EventKind.QUOTA_FILLING, level=90)
    await happen(repository.id, EventKind.DOWN)
    await deliver(pager)
    later(minutes=1)
    await happen(repository.id, EventKind.ALARM_ENDED, alarm="quota filling up")
    await deliver(pager)
    assert sorted(actions()[:2]) == [("trigger", "backup"), ("trigger", "quota-filling-up")]
    assert actions()[2:] == [("resolve", "quota-filling-up")]
    await happen(repository.id, EventKind.STILL_DOWN)
    await happen(repository.id, EventKind.RECOVERED, former="down")
    await deliver(pager)
    # the reminder was not sent yet, and its problem is over
    assert actions()[3:] == [("resolve", "backup")]


async def test_each_problem_counts_however_many_there_are_at_once(
    repository: RepositoryInfo, people: People, pager: Courier, actions: Actions
) -> None:
    others = [
        await factories.make_repository(people.alice, f"other-{number}") for number in range(5)
    ]
    for one in (repository, *others):
        await happen(one.id, EventKind.DOWN)
    await deliver(pager)
    assert actions() == [("trigger", "backup")] * 6


async def test_information_opens_nothing(
    repository: RepositoryInfo, pager: Courier, server: FarEnd
) -> None:
    await happen(repository.id, EventKind.KEY_FIRST_USED)
    await deliver(pager)
    assert server.received == []
