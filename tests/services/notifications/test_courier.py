"""How what the outbox holds gets to the far end: tried again, in order, and never twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from aiohttp import web

from hive import clock
from hive.config.settings import MailSettings
from hive.kinds import AttemptOutcome, DeliveryState, EventKind
from hive.models import Channel, DeliveryAttempt, User
from hive.notify.channel import Means
from hive.services.delivery import deliveries
from hive.services.delivery.courier import Courier
from hive.services.notifications import channels, history
from tests import factories
from tests.factories import People
from tests.notify.far_end import FarEnd, far_end
from tests.notify.test_email import relay
from tests.services.notifications.support import (
    NOON,
    at,
    deliver,
    happen,
    later,
    states,
    told_to,
    webhook,
)

SENT, DEAD = DeliveryState.SENT, DeliveryState.DEAD


@pytest.fixture
async def second() -> AsyncIterator[FarEnd]:
    async with far_end() as end:
        yield end


async def test_what_happened_reaches_the_far_end_with_its_link(
    people: People, server: FarEnd, courier: Courier
) -> None:
    await webhook(people.alice, server.url)
    made = await factories.make_repository(people.alice)
    await happen(made.id, EventKind.DOWN, "No backup since yesterday.")
    await deliver(courier)
    assert await states() == [SENT]
    sent = server.only.json()
    assert sent["kind"] == "down"
    assert sent["repository"] == "documents"
    assert "No backup since yesterday." in sent["text"]
    (told,) = await history.deliveries(people.alice)
    assert [one.outcome for one in told.tries] == [AttemptOutcome.SENT]


async def test_a_far_end_that_is_away_is_tried_again_later_and_later(
    people: People, server: FarEnd, courier: Courier
) -> None:
    at(NOON)
    await webhook(people.alice, server.url)
    made = await factories.make_repository(people.alice)
    await happen(made.id, EventKind.DOWN)
    server.answers(503, "gone for a moment")
    pauses = []
    for _ in range(4):
        await deliver(courier)
        hook = await Channel.get()
        assert hook.next_try is not None
        assert hook.failing_since == NOON
        pauses.append(hook.next_try - clock.now())
        at(hook.next_try - timedelta(seconds=1))
        await deliver(courier)  # too early
        at(hook.next_try)
    assert len(server.received) == 4
    assert pauses == sorted(pauses)
    assert timedelta(seconds=27) <= pauses[0] <= timedelta(seconds=33)
    server.answers(200)
    await deliver(courier)
    assert await states() == [SENT]
    assert len({one.headers["Idempotency-Key"] for one in server.received}) == 1


async def test_what_the_far_end_wishes_is_heeded_and_what_cannot_work_is_given_up(
    people: People, server: FarEnd, second: FarEnd, courier: Courier
) -> None:
    at(NOON)
    await webhook(people.alice, server.url)
    made = await factories.make_repository(people.alice)
    server.answers(429, headers={"Retry-After": "900"})
    await happen(made.id, EventKind.DOWN)
    await deliver(courier)
    hook = await Channel.get()
    assert hook.next_try == NOON + timedelta(seconds=900)
    later(seconds=901)
    server.answers(404)
    await webhook(people.alice, second.url, "other")  # it comes later, and gets the dead letter
    await deliver(courier)
    assert await states() == [DEAD, SENT, SENT]
    assert [one.json()["kind"] for one in second.received] == ["dead letter", "channel failing"]
    (dead,) = await history.deliveries(people.alice, dead=True)
    server.answers(200)
    await history.repeat(people.alice, dead.id)
    await deliver(courier)
    assert await states() == [SENT, SENT, SENT]
    assert (await Channel.get(name="hook")).failing_since is None


async def test_after_three_days_nothing_is_tried_any_more(
    people: People, server: FarEnd, courier: Courier
) -> None:
    at(NOON)
    await webhook(people.alice, server.url)
    made = await factories.make_repository(people.alice)
    server.answers(500)
    await happen(made.id, EventKind.DOWN)
    for _ in range(40):
        await deliver(courier)
        later(hours=2)
    assert await states() == [DEAD]
    assert await DeliveryAttempt.all().count() < 40


async def test_a_channel_that_hangs_delays_no_other(
    people: People, server: FarEnd, second: FarEnd, means: Means
) -> None:
    freed = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await freed.wait()
        return web.Response()

    server.handler = hang
    courier = Courier(means, seconds=0.5)
    await webhook(people.alice, server.url, "hangs")
    await webhook(people.alice, second.url, "works")
    made = await factories.make_repository(people.alice)
    for _ in range(3):
        await happen(made.id, EventKind.DOWN)
    tasks = await courier.look()
    async with asyncio.timeout(10):
        while len(second.received) < 3:
            await asyncio.sleep(0.01)
    freed.set()
    await asyncio.gather(*tasks)


async def test_of_one_repository_the_order_is_kept_while_others_go_on(
    people: People, server: FarEnd, courier: Courier
) -> None:
    at(NOON)
    await webhook(people.alice, server.url)
    first = await factories.make_repository(people.alice)
    other = await factories.make_repository(people.alice, name="other")
    server.answers(503)
    await happen(first.id, EventKind.DOWN)
    await deliver(courier)
    server.answers(200)
    await happen(first.id, EventKind.RECOVERED, former="down")
    await happen(other.id, EventKind.DOWN)
    await deliver(courier)
    assert len(server.received) == 1  # the channel rests
    later(minutes=1)
    await deliver(courier)
    told = [(one.json()["repository"], one.json()["kind"]) for one in server.received[1:]]
    # first one that was never tried; what it frees goes in order
    assert told == [("other", "down"), ("documents", "down"), ("documents", "recovered")]


async def test_what_a_killed_server_was_sending_is_sent_again_under_the_same_name(
    people: People, server: FarEnd, courier: Courier, means: Means
) -> None:
    taken = asyncio.Event()

    async def take(_: web.Request) -> web.Response:
        taken.set()
        await asyncio.sleep(30)
        return web.Response()

    server.handler = take
    await webhook(people.alice, server.url)
    made = await factories.make_repository(people.alice)
    await happen(made.id, EventKind.DOWN)
    (task,) = await courier.look()
    await asyncio.wait_for(taken.wait(), 10)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert await states() == [DeliveryState.SENDING]
    server.handler = None
    assert await deliveries.take_up_again() == 1
    await deliver(Courier(means))
    assert await states() == [SENT]
    assert len({one.headers["Idempotency-Key"] for one in server.received}) == 1
    outcomes = [row.outcome for row in await DeliveryAttempt.all().order_by("id")]
    assert outcomes == [AttemptOutcome.INTERRUPTED, AttemptOutcome.SENT]


async def test_a_channel_that_is_switched_off_is_not_used_and_one_that_is_gone_neither(
    people: People, server: FarEnd, courier: Courier
) -> None:
    made = await factories.make_repository(people.alice)
    hook = await webhook(people.alice, server.url)
    await happen(made.id, EventKind.DOWN)
    await channels.change(people.alice, hook.id, enabled=False)
    await happen(made.id, EventKind.STILL_DOWN)  # nowhere to tell it
    await deliver(courier)
    assert await states() == [DeliveryState.DROPPED]
    assert await told_to(people.alice) == ["down"]
    await channels.change(people.alice, hook.id, enabled=True)
    await happen(made.id, EventKind.STILL_DOWN)
    await channels.delete(people.alice, hook.id)
    await deliver(courier)
    assert server.received == []


async def test_two_couriers_send_a_thing_once(people: People, server: FarEnd, means: Means) -> None:
    await webhook(people.alice, server.url)
    made = await factories.make_repository(people.alice)
    await happen(made.id, EventKind.DOWN)
    both = await asyncio.gather(Courier(means).look(), Courier(means).look())
    await asyncio.gather(*(task for tasks in both for task in tasks))
    assert len(server.received) == 1


async def test_own_mail_goes_to_the_address_that_holds_now(
    people: People, means: Means, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hive.services.outbox.sending.sends_mail", lambda: True)
    await User.filter(id=people.alice.user_id).update(email="old@example.org")
    made = await factories.make_repository(people.alice)
    await happen(made.id, EventKind.DOWN)
    await User.filter(id=people.alice.user_id).update(email="alice@example.org")
    async with relay() as mail:
        settings = MailSettings(host="127.0.0.1", port=mail.port, security="none")
        await deliver(Courier(replace(means, mail=settings)))
    assert mail.recipients == ["alice@example.org"]
    assert await states() == [SENT]
