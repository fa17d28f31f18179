"""What happens when somebody answers, when nobody does, and how often each person is reminded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from hive import clock
from hive.errors import InvalidInput, NotFound
from hive.kinds import EventKind
from hive.models import Escalation, Notification
from hive.notify.channel import Means
from hive.outgoing.client import Outgoing
from hive.services.alarms import alarms, answers
from hive.services.delivery.courier import Courier
from hive.services.health import review, schedules
from hive.services.notifications import channels, preferences, rules
from hive.services.notifications.rules import AddRule, ChangeRule
from hive.services.outbox import escalations
from hive.services.permissions import Actor
from hive.services.repositories.infos import RepositoryInfo
from tests import factories
from tests.factories import People
from tests.notify.far_end import FarEnd
from tests.services.notifications.support import NOON, at, deliver, happen, later, webhook


@pytest.fixture
async def pager(server: FarEnd) -> AsyncIterator[Courier]:
    """A courier for whom PagerDuty is the far end too."""
    async with Outgoing(allowed_networks=["127.0.0.0/8"], timeout_seconds=2) as outgoing:
        yield Courier(Means(outgoing=outgoing, bases={"pagerduty": server.url}))


def kinds_at(server: FarEnd, path: str) -> list[str]:
    return [one.json()["kind"] for one in server.received if one.path == path]


def actions(server: FarEnd) -> list[str]:
    return [one.json()["event_action"] for one in server.received if one.path == "/v2/enqueue"]


async def on_call(owner: Actor) -> None:
    settings = {"routing_key": "R" * 32}
    await channels.add(owner, "pager", owner=owner.name, kind="pagerduty", settings=settings)


@pytest.fixture
async def shared(people: People, server: FarEnd) -> RepositoryInfo:
    """Alice's, which bob's group may manage; both are notified by hooks of their own."""
    at(NOON)
    await webhook(people.alice, f"{server.url}/alice")
    await webhook(people.bob, f"{server.url}/bob")
    made = await factories.make_repository(people.alice, share_with="team")
    await schedules.watch(people.alice, made.id)
    later(days=3)
    await review.review_due()
    return made


async def test_an_acknowledgement_is_told_to_those_who_were_notified_but_not_to_who_gave_it(
    shared: RepositoryInfo, people: People, server: FarEnd, pager: Courier
) -> None:
    await deliver(pager)
    await schedules.acknowledge(people.alice, shared.id)
    await deliver(pager)
    assert kinds_at(server, "/alice") == ["down"]
    assert kinds_at(server, "/bob") == ["down", "acknowledged"]
    [told] = [one.json() for one in server.received if one.json()["kind"] == "acknowledged"]
    assert told["title"] == "documents: the missing backup was acknowledged"
    assert "alice knows that a backup is missing" in told["text"]
    assert (told["severity"], told["details"]["phase"]) == ("info", "acknowledged")


async def test_a_pager_hears_of_the_answer_also_from_who_gave_it(
    people: People, server: FarEnd, pager: Courier
) -> None:
    at(NOON)
    await on_call(people.alice)
    made = await factories.make_repository(people.alice)
    await schedules.watch(people.alice, made.id)
    later(days=3)
    await review.review_due()
    await deliver(pager)
    await schedules.acknowledge(people.alice, made.id)
    await deliver(pager)
    await review.note_backup(made.id, clock.now())
    await deliver(pager)
    assert actions(server) == ["trigger", "acknowledge", "resolve"]


async def test_an_answered_alarm_is_over_for_a_pager_and_no_other_is(
    people: People, server: FarEnd, pager: Courier
) -> None:
    at(NOON)
    await on_call(people.alice)
    made = await factories.make_repository(people.alice)
    await alarms.happened(made.id, EventKind.MASS_DELETION, "Gone.", session_id=None)
    await alarms.happened(made.id, EventKind.SHRUNK, "Less.", session_id=None)
    await deliver(pager)
    [first, _] = await answers.list_alarms(people.alice)
    await answers.answer(people.alice, first.id)
    await deliver(pager)
    sent = [one.json() for one in server.received]
    assert [one["event_action"] for one in sent] == ["trigger", "trigger", "resolve"]
    assert sent[2]["dedup_key"].endswith("repository-shrunk")


async def test_who_was_notified_hears_the_end_although_rules_changed(
    shared: RepositoryInfo, people: People, server: FarEnd, pager: Courier
) -> None:
    await deliver(pager)
    await rules.add(people.bob, "bob", AddRule(name="other", channels=["hook"], tag="x"))
    await preferences.change(people.bob, "bob", rest="nothing")
    await review.note_backup(shared.id, clock.now())
    await deliver(pager)
    assert kinds_at(server, "/bob") == ["down", "recovered"]


async def escalating(people: People, *, user: str | None = None, by: str | None = None) -> None:
    wanted = AddRule(
        name="all",
        channels=["hook"],
        escalate_after="4h",
        escalate_user=user,
        escalate_channel=by,
    )
    await rules.add(people.alice, "alice", wanted)


async def test_what_nobody_answers_goes_to_somebody_else_once(
    people: People, server: FarEnd, pager: Courier
) -> None:
    at(NOON)
    await webhook(people.alice, f"{server.url}/alice")
    await webhook(people.bob, f"{server.url}/bob")
    await escalating(people, user="bob")
    made = await factories.make_repository(people.alice)
    await happen(made.id, EventKind.DOWN)
    await deliver(pager)
    later(hours=3)
    assert await escalations.escalate_due() == 0
    later(hours=1)
    assert await escalations.escalate_due() == 1
    assert await escalations.escalate_due() == 0
    await happen(made.id, EventKind.STILL_DOWN)
    later(hours=5)
    assert await escalations.escalate_due() == 0
    await deliver(pager)
    [told] = [one.json() for one in server.received if one.path == "/bob"]
    assert told["title"] == "Unanswered for 4 hours: documents: a backup is missing"
    assert "alice was notified at" in told["text"]
    await happen(made.id, EventKind.RECOVERED, former="down")
    await deliver(pager)
    assert kinds_at(server, "/bob") == ["down", "recovered"]
    assert await Escalation.all().count() == 0


async def test_any_answer_ends_the_wait(people: People, server: FarEnd, pager: Courier) -> None:
    at(NOON)
    await webhook(people.alice, f"{server.url}/alice")
    await webhook(people.alice, f"{server.url}/boss", "boss")
    await escalating(people, by="boss")
    made = await factories.make_repository(people.alice)
    await schedules.watch(people.alice, made.id)
    later(days=3)
    await review.review_due()
    assert await Escalation.exclude(due_at=None).count() == 1
    await schedules.mute(people.alice, made.id, clock.now() + timedelta(days=1))
    later(hours=5)
    assert await escalations.escalate_due() == 0
    await deliver(pager)
    assert kinds_at(server, "/boss") == []


async def test_an_escalation_by_a_channel_reaches_it(
    people: People, server: FarEnd, pager: Courier
) -> None:
    at(NOON)
    await webhook(people.alice, f"{server.url}/alice")
    await webhook(people.alice, f"{server.url}/boss", "boss")
    await escalating(people, by="boss")
    made = await factories.make_repository(people.alice)
    await happen(made.id, EventKind.SESSION_FAILED)  # has no end, so that nobody can answer it
    await happen(made.id, EventKind.STALE_LOCK)
    later(hours=4)
    assert await escalations.escalate_due() == 1
    await deliver(pager)
    assert kinds_at(server, "/boss") == ["stale lock"]


async def test_a_rule_escalates_only_to_whom_its_person_may_name(people: People) -> None:
    await webhook(people.alice)
    with pytest.raises(NotFound):
        await escalating(people, user="charlie")  # shares no group with alice
    with pytest.raises(InvalidInput):
        await escalating(people)
    await escalating(people, user="bob")
    [info] = await rules.list_rules(people.alice)
    assert (info.escalate_after, info.escalate_user) == (timedelta(hours=4), "bob")
    changed = await rules.change(people.alice, info.id, ChangeRule(escalate_after=""))
    assert (changed.escalate_after, changed.escalate_user) == (None, None)


async def test_each_person_is_reminded_as_often_as_they_want(
    shared: RepositoryInfo, people: People
) -> None:
    await preferences.change(people.alice, "alice", reminder_hours=24, expiration_days=2)
    await preferences.change(people.bob, "bob", reminder_hours=6, expiration_days=1)
    begun = clock.now()
    while clock.now() < begun + timedelta(days=4):
        later(minutes=30)
        await review.review_due()

    async def hours_of(actor: Actor) -> list[float]:
        rows = Notification.filter(user_id=actor.user_id, kind="still down").order_by("at")
        return [(row.at - begun).total_seconds() / 3600 for row in await rows]

    assert await hours_of(people.alice) == [24, 48]
    assert await hours_of(people.bob) == [6, 12, 18, 24]
