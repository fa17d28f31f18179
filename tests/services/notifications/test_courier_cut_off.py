"""What is cut off, held back or given up: nothing is lost, and nobody waits for somebody else."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest
from aiohttp import web

from hive import clock
from hive.kinds import AttemptOutcome, DeliveryState, EventKind
from hive.models import Delivery, DeliveryAttempt, Notification
from hive.notify.channel import Means
from hive.services.accounts import users
from hive.services.delivery import deliveries
from hive.services.delivery.courier import Courier
from hive.services.notifications import preferences
from hive.services.permissions import OPERATOR
from tests import factories
from tests.e2e.gate.harness import until
from tests.factories import People
from tests.notify.far_end import FarEnd
from tests.services.notifications.support import (
    NOON,
    at,
    deliver,
    happen,
    happen_often,
    later,
    states,
    told_to,
    webhook,
)

SENT, DEAD, DROPPED = DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.DROPPED


async def test_a_backlog_of_a_channel_that_hangs_does_not_hide_the_others(
    people: People, server: FarEnd, means: Means
) -> None:
    freed = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/hangs":
            await freed.wait()
        return web.Response()

    server.handler = answer
    await webhook(people.alice, f"{server.url}/hangs", "hangs")
    made = await factories.make_repository(people.alice)
    await happen_often(made.id, EventKind.DOWN, 210)
    running = asyncio.ensure_future(Courier(means).run())

    async def hangs() -> bool:
        return bool(server.received)

    async def works() -> bool:
        return await Delivery.filter(channel_name="works", state=SENT).count() == 1

    await until(hangs)
    await webhook(people.alice, f"{server.url}/works", "works")
    await happen(made.id, EventKind.STILL_DOWN)
    await until(works, seconds=5)
    assert [one.path for one in server.received].count("/hangs") == 1
    running.cancel()
    freed.set()
    with suppress(asyncio.CancelledError):
        await running


async def test_what_is_under_way_when_the_server_stops_may_end(
    people: People, server: FarEnd, means: Means
) -> None:
    taken = asyncio.Event()

    async def slowly(_: web.Request) -> web.Response:
        taken.set()
        await asyncio.sleep(0.3)
        return web.Response()

    server.handler = slowly
    await webhook(people.alice, server.url)
    made = await factories.make_repository(people.alice)
    await happen_often(made.id, EventKind.DOWN, 2)
    running = asyncio.ensure_future(Courier(means).run())
    await asyncio.wait_for(taken.wait(), 10)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert await states() == [SENT, DeliveryState.WAITING]
    assert len(server.received) == 1


async def test_a_delivery_whose_task_broke_off_is_sent_again(
    people: People, server: FarEnd, courier: Courier
) -> None:
    await webhook(people.alice, server.url)
    made = await factories.make_repository(people.alice)
    await happen(made.id, EventKind.DOWN)
    (row,) = await deliveries.due()
    assert await deliveries.claim(row)
    await deliver(courier)  # the same server goes on
    assert await states() == [SENT]
    assert server.only.json()["id"] == row.token
    outcomes = [one.outcome for one in await DeliveryAttempt.all().order_by("id")]
    assert outcomes == [AttemptOutcome.INTERRUPTED, AttemptOutcome.SENT]


async def test_what_is_cut_off_again_and_again_waits_longer_each_time(
    people: People, server: FarEnd
) -> None:
    at(NOON)
    await webhook(people.alice, server.url)
    made = await factories.make_repository(people.alice)
    await happen(made.id, EventKind.DOWN)
    for pause in (timedelta(0), timedelta(minutes=1)):
        (row,) = await deliveries.due()
        assert await deliveries.claim(row)
        await deliveries.take_up_again()
        row = await Delivery.get()
        assert row.next_at is not None
        assert row.next_at - clock.now() >= pause
        at(row.next_at)


async def test_who_was_disabled_meanwhile_is_told_nothing_more(
    people: People, server: FarEnd, courier: Courier
) -> None:
    await webhook(people.alice, server.url)
    made = await factories.make_repository(people.alice)
    await happen(made.id, EventKind.DOWN)
    await users.set_user(OPERATOR, people.alice.user_id or 0, users.ChangeUser(enabled=False))
    await deliver(courier)
    assert server.received == []
    assert await states() == [DROPPED]


async def test_dead_letters_are_told_to_administrators_as_well_once_a_day(
    people: People, server: FarEnd, courier: Courier
) -> None:
    at(NOON)
    await webhook(people.alice, f"{server.url}/gone")
    await webhook(people.admin, f"{server.url}/admin", "pager")
    await preferences.change(people.admin, "admin", is_told_of_critical=False)

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=404 if request.path == "/gone" else 200)

    server.handler = answer
    made = await factories.make_repository(people.alice)
    await happen_often(made.id, EventKind.DOWN, 3)
    await deliver(courier)
    assert await told_to(people.admin) == ["dead letter", "channel failing"]
    assert await told_to(people.alice) == ["down"] * 3  # she has no other way
    later(days=1)
    await happen(made.id, EventKind.STILL_DOWN)
    await deliver(courier)
    # she cannot be notified, so that they hear of it in her place
    assert (await told_to(people.admin))[2:] == ["still down", "dead letter"]
    assert "To: alice" in (await Notification.filter(kind="dead letter").first()).text  # type: ignore[union-attr]


async def test_after_a_long_downtime_one_failure_is_not_the_end(
    people: People, server: FarEnd, courier: Courier
) -> None:
    at(NOON)
    await webhook(people.alice, server.url)
    made = await factories.make_repository(people.alice)
    await happen(made.id, EventKind.DOWN)
    later(days=5)
    server.answers(503)
    await deliver(courier)
    assert await states() == [DeliveryState.WAITING]
    later(minutes=1)
    server.answers(200)
    await deliver(courier)
    assert await states() == [SENT]


@pytest.mark.parametrize("seed", range(3))
async def test_killed_at_any_moment_nothing_is_lost_and_nothing_has_two_names(
    people: People, server: FarEnd, means: Means, seed: int
) -> None:
    choose = random.Random(seed)  # noqa: S311 - the same each time is the point
    at(NOON)
    for name in ("one", "two", "three"):
        await webhook(people.alice, f"{server.url}/{name}", name)

    async def answer(_request: web.Request) -> web.Response:
        await asyncio.sleep(choose.uniform(0, 0.01))
        return web.Response(status=choose.choice((200, 200, 200, 503)))

    server.handler = answer
    made = await factories.make_repository(people.alice)
    await happen_often(made.id, EventKind.DOWN, 6)
    for _ in range(25):
        killed = asyncio.ensure_future(deliver(Courier(means)))
        await asyncio.sleep(choose.uniform(0, 0.04))
        for task in [killed, *(t for t in asyncio.all_tasks() if t.get_name() == "deliver")]:
            task.cancel()
        await asyncio.wait([killed])
        later(minutes=choose.choice((0, 1, 30)))
    server.handler = None
    for _ in range(20):
        later(hours=7)
        await deliver(Courier(means))
    rows = {row.token: row for row in await Delivery.all().select_related("notification")}
    assert {row.state for row in rows.values()} == {SENT}
    # besides, a channel that failed for long may have been reported
    of_events = [row for row in rows.values() if row.notification.key.startswith("event:")]
    assert len(of_events) == 18
    arrived = Counter(one.json()["id"] for one in server.received)
    assert set(arrived) == set(rows)
    for token, times in arrived.items():
        # whatever came, a try stands for it
        assert times <= await DeliveryAttempt.filter(delivery_id=rows[token].id).count()
    assert await DeliveryAttempt.filter(outcome=AttemptOutcome.INTERRUPTED).exists()


async def test_old_notifications_are_forgotten_unless_they_are_on_their_way(
    people: People, server: FarEnd, courier: Courier
) -> None:
    at(NOON)
    await webhook(people.alice, server.url)
    made = await factories.make_repository(people.alice)
    await happen(made.id, EventKind.DOWN)
    await deliver(courier)
    await happen(made.id, EventKind.STILL_DOWN)
    later(days=91)
    assert await deliveries.thin_out() == 3  # administrators heard of both, by nothing
    kept = await Notification.filter(user_id=people.alice.user_id)
    assert [row.kind for row in kept] == ["still down"]
    assert await DeliveryAttempt.all().count() == 0
