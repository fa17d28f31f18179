"""Channels that come and go: shown as failing, tried as one, freed by the first success."""

from __future__ import annotations

import pytest

from hive.errors import DeliveryFailed, Forbidden, InvalidInput, NotFound
from hive.kinds import DeliveryState, EventKind
from hive.models import Alarm, AuditEntry, Channel, Delivery, MailPlace, User
from hive.notify.channel import Means
from hive.outgoing.client import Outgoing
from hive.services.delivery.courier import Courier
from hive.services.notifications import channels, reach, trials
from hive.services.outbox import allowed
from hive.services.permissions import OPERATOR
from tests import factories
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

SENT, WAITING = DeliveryState.SENT, DeliveryState.WAITING


async def kinds_received(server: FarEnd) -> list[str]:
    return [one.json()["kind"] for one in server.received]


async def test_one_success_frees_all_that_waits_and_critical_ones_go_first(
    people: People, server: FarEnd, courier: Courier
) -> None:
    at(NOON)
    await webhook(people.alice, server.url)
    made = await factories.make_repository(people.alice)
    server.answers(503)
    await happen_often(made.id, EventKind.SESSION_FAILED, 30)
    for _ in range(5):  # 45 minutes and more
        await deliver(courier)
        later(minutes=10)
    info = await channels.find_by_id(people.alice, (await Channel.get()).id)
    assert info.state == "failing since 2026-03-02 12:00 UTC"
    assert (info.waiting, info.backlog) == (30, "29 waiting behind one that failed")
    await happen(made.id, EventKind.DOWN)
    await happen(made.id, EventKind.SESSION_FAILED)
    server.answers(200)
    server.received.clear()
    later(minutes=6)  # however long it failed: never longer than this while newer ones wait
    await deliver(courier)
    kinds = await kinds_received(server)
    assert sorted(kinds) == ["down"] + ["session failed"] * 31
    assert kinds[0] == "down"
    numbers = [one.json()["text"].split(".")[0] for one in server.received[1:31]]
    assert numbers == [f"Number {number}" for number in range(30)]  # in their order
    assert len({one.headers["Idempotency-Key"] for one in server.received}) == 32
    assert (await channels.find_by_id(people.alice, info.id)).state == "works"


async def test_a_message_that_fails_alone_stops_no_other(
    people: People, server: FarEnd, courier: Courier
) -> None:
    from aiohttp import web  # noqa: PLC0415

    async def answer(request: web.Request) -> web.Response:
        body = await request.json()
        return web.Response(status=503 if "poison" in body["text"] else 200)

    at(NOON)
    server.handler = answer
    await webhook(people.alice, server.url)
    made = await factories.make_repository(people.alice)
    await happen(made.id, EventKind.DOWN, "poison")
    for number in range(3):
        await happen(made.id, EventKind.SESSION_FAILED, f"Number {number}.")
    await deliver(courier)
    later(minutes=1)
    await deliver(courier)
    later(minutes=1)
    await deliver(courier)
    assert await states() == [WAITING, SENT, SENT, SENT]
    await happen(made.id, EventKind.SHRUNK)
    await deliver(courier)
    assert (await states())[-1] == SENT  # neither a critical one of the same repository
    tries = len(server.received)
    later(seconds=20)
    await deliver(courier)
    assert len(server.received) == tries


async def test_reminders_replace_one_another_and_end_with_their_trouble(
    people: People, server: FarEnd, courier: Courier
) -> None:
    at(NOON)
    await webhook(people.alice, server.url)
    made = await factories.make_repository(people.alice)
    server.answers(503)
    await happen(made.id, EventKind.DOWN)
    for _ in range(4):
        await deliver(courier)
        later(hours=5)
        await happen(made.id, EventKind.STILL_DOWN)
    assert (await states()).count(WAITING) == 2  # down, and the newest reminder
    await happen(made.id, EventKind.RECOVERED, former="down")
    server.answers(200)
    server.received.clear()
    later(hours=2)
    await deliver(courier)
    assert await kinds_received(server) == ["recovered"]


async def test_a_failing_channel_is_an_alarm_for_its_owner_and_the_administrators(
    people: People, server: FarEnd, courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hive.services.outbox.sending.sends_mail", lambda: True)
    await User.filter(id=people.alice.user_id).update(email="alice@example.org")
    at(NOON)
    hook = await webhook(people.alice, f"{server.url}/phone", "phone")
    await webhook(people.admin, server.url, "pager")
    made = await factories.make_repository(people.alice)
    server.answers(401, "who are you?")
    await happen(made.id, EventKind.SESSION_FAILED)
    (row,) = await Delivery.all()
    await (await courier.look())[0]
    assert (await Delivery.get(id=row.id)).state == DeliveryState.DEAD
    assert await told_to(people.admin) == ["dead letter", "channel failing"]
    # by mail, which is not what fails
    kinds = [
        one.notification.kind
        for one in await Delivery.filter(channel_kind="own mail").select_related("notification")
    ]
    assert kinds == ["dead letter", "channel failing"]
    alarm = await Alarm.get(subject=f"channel:{hook.id}")
    assert "The channel phone of alice has failed since 2026-03-02 12:00 UTC" in alarm.message
    assert (await reach.worries(OPERATOR)).sentences == ["1 of 2 channels fails."]
    assert (await reach.worries(people.alice)).sentences == [
        "Nobody can be notified: the only channel fails."
    ]
    server.answers(200)
    async with Outgoing(allowed_networks=["127.0.0.0/8"]) as outgoing:
        await trials.test(people.alice, hook.id, Means(outgoing=outgoing))
    assert not await Alarm.filter(subject=f"channel:{hook.id}").exists()
    assert (await reach.worries(OPERATOR)).sentences == []


async def test_a_disabled_channel_is_no_alarm(people: People, server: FarEnd, means: Means) -> None:
    hook = await webhook(people.alice, server.url)
    server.answers(404)
    with pytest.raises(DeliveryFailed):
        await trials.test(people.alice, hook.id, means)
    assert await Alarm.filter(kind=EventKind.CHANNEL_FAILING).count() == 1
    await channels.change(people.alice, hook.id, enabled=False)
    assert not await Alarm.filter(kind=EventKind.CHANNEL_FAILING).exists()
    assert (await channels.find_by_id(people.alice, hook.id)).state == "disabled"


async def test_a_test_that_arrives_frees_what_waits(
    people: People, server: FarEnd, courier: Courier, means: Means
) -> None:
    at(NOON)
    hook = await webhook(people.alice, server.url)
    made = await factories.make_repository(people.alice)
    server.answers(503)
    await happen(made.id, EventKind.DOWN)
    await deliver(courier)
    await deliver(courier)
    assert len(server.received) == 1  # it rests
    server.answers(200)
    await trials.test(people.alice, hook.id, means)
    await deliver(courier)
    assert await kinds_received(server) == ["down", "test", "down"]
    assert await states() == [SENT]


async def test_an_administrator_allows_a_private_address_and_what_waits_arrives(
    people: People, server: FarEnd
) -> None:
    at(NOON)
    async with Outgoing(timeout_seconds=2) as outgoing:
        means = Means(outgoing=outgoing)
        courier = Courier(means)
        hook = await webhook(people.alice, server.url)
        with pytest.raises(DeliveryFailed, match="private address") as failed:
            await trials.test(people.alice, hook.id, means)
        assert failed.value.address == "127.0.0.1"
        assert "hive channel allow 127.0.0.1" in failed.value.message
        made = await factories.make_repository(people.alice)
        for kind in (EventKind.DOWN, EventKind.MASS_DELETION):
            await happen(made.id, kind)
        later(minutes=1)
        await deliver(courier)
        assert await states() == [WAITING, WAITING]
        assert (await Channel.get()).refused_address == "127.0.0.1"
        with pytest.raises(Forbidden):
            await allowed.allow(people.alice, "127.0.0.1")
        assert await allowed.allow(people.admin, "127.0.0.1") == "127.0.0.1/32"
        await deliver(courier)
        assert await kinds_received(server) == ["down", "mass deletion"]
        assert await AuditEntry.filter(action="notifications.allow").count() == 1
        await allowed.revoke(people.admin, "127.0.0.1/32")
        with pytest.raises(DeliveryFailed, match="private address"):
            await trials.test(people.alice, hook.id, means)
        with pytest.raises(NotFound):
            await allowed.revoke(people.admin, "127.0.0.1/32")


@pytest.mark.parametrize("network", ["", "nas.lan", "0.0.0.0/0", "169.254.169.254", "::/0"])
async def test_what_cannot_be_allowed_is_said(people: People, network: str) -> None:
    with pytest.raises(InvalidInput):
        await allowed.allow(people.admin, network)


async def test_mail_that_fails_is_one_alarm_for_all(
    people: People, means: Means, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`means` has no relay, as a server whose relay was taken from its configuration."""
    monkeypatch.setattr("hive.services.outbox.sending.sends_mail", lambda: True)
    for name in ("alice", "bob"):
        await User.filter(name=name).update(email=f"{name}@example.org")
    made = await factories.make_repository(people.alice, share_with="team")
    await happen(made.id, EventKind.SESSION_FAILED)
    await deliver(Courier(means))
    alarm = await Alarm.get(subject="mail")
    assert alarm.message.startswith("Mail to alice, bob has not been delivered since ")
    assert await MailPlace.filter(failing_since__not_isnull=True).count() == 2
