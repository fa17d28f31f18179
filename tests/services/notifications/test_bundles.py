"""Many messages with one cause reach a person as one, and no more in an hour than can be read."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from hive import clock
from hive.kinds import DeliveryState, EventKind
from hive.models import Delivery
from hive.services.delivery.courier import Courier
from hive.services.notifications import channels
from hive.services.repositories.infos import RepositoryInfo
from tests import factories
from tests.another_process import started
from tests.factories import People
from tests.notify.far_end import FarEnd
from tests.services.notifications.support import NOON, at, deliver, happen, later, webhook

BUNDLED = DeliveryState.BUNDLED


@dataclass(frozen=True)
class Place:
    """Alice's repositories, and where her messages arrive."""

    server: FarEnd
    repositories: list[RepositoryInfo]
    courier: Courier

    async def all(self, kind: EventKind, **details: object) -> None:
        for one in self.repositories:
            await happen(one.id, kind, f"About {one.name}.", **details)

    async def sent(self) -> list[dict[str, object]]:
        """What arrives now."""
        self.server.received.clear()
        await deliver(self.courier)
        return [one.json() for one in self.server.received]


@pytest.fixture
async def place(people: People, server: FarEnd, courier: Courier) -> Place:
    at(NOON)
    hook = await webhook(people.alice, server.url)
    settings = {"url": server.url, "method": "POST", "bundle": True}
    await channels.change(people.alice, hook.id, settings=settings)
    names = [f"machine-{number}" for number in range(8)]
    repositories = [await factories.make_repository(people.alice, name) for name in names]
    return Place(server, repositories, courier)


async def test_what_has_one_cause_is_one_message_with_a_list(place: Place) -> None:
    await place.all(EventKind.DOWN)
    [message] = await place.sent()
    assert message["title"] == "8 repositories: a backup is missing"
    assert message["severity"] == "critical"
    assert all(f"machine-{number}: About" in str(message["text"]) for number in range(8))
    details = message["details"]
    assert isinstance(details, dict)
    assert [one["repository"] for one in details["bundled"]] == [
        one.name for one in place.repositories
    ]
    assert await Delivery.filter(state=BUNDLED).count() == 8
    assert await place.sent() == []


async def test_three_of_a_kind_are_three_messages(place: Place) -> None:
    for one in place.repositories[:3]:
        await happen(one.id, EventKind.DOWN)
    assert len(await place.sent()) == 3


async def test_of_those_that_come_one_after_the_other_the_fourth_waits_for_the_rest(
    place: Place,
) -> None:
    counts = []
    for one in place.repositories:
        await happen(one.id, EventKind.KEY_FIRST_USED)
        counts.append(len(await place.sent()))
        later(seconds=10)
    assert counts == [1, 1, 1, 0, 0, 0, 0, 0]
    later(minutes=2)
    [message] = await place.sent()
    assert message["title"] == "5 repositories: a key was used for the first time"


async def test_another_kind_is_not_held_up(place: Place) -> None:
    await place.all(EventKind.DOWN)
    await happen(place.repositories[0].id, EventKind.STALE_LOCK)
    kinds = [one["kind"] for one in await place.sent()]
    assert sorted(map(str, kinds)) == ["down", "stale lock"]


async def test_what_ended_while_it_waited_is_not_sent(place: Place) -> None:
    for one in place.repositories[:3]:
        await happen(one.id, EventKind.DOWN)
    await place.sent()
    fourth = place.repositories[3]
    await happen(fourth.id, EventKind.DOWN)
    assert await place.sent() == []
    await happen(fourth.id, EventKind.RECOVERED, former="down")
    later(minutes=3)
    assert await place.sent() == []


async def test_after_days_without_a_way_only_the_end_is_told_and_once(place: Place) -> None:
    place.server.answers(503)
    since = clock.now()
    await place.all(EventKind.DOWN)
    for _ in range(5):
        await place.sent()
        later(hours=12)
        await place.all(EventKind.STILL_DOWN, lasted_seconds=60)
    await place.all(EventKind.RECOVERED, former="down", since=clock.rfc3339(since))
    place.server.answers(200)
    later(hours=1)
    found = await place.sent()
    assert [one["kind"] for one in found] == ["recovered", "recovered"]
    first, rest = found
    assert "was down from 2026-03-02 12:00 UTC to 2026-03-05 00:00 UTC" in str(first["text"])
    assert rest["title"] == "7 repositories: backups are fine again"
    assert str(rest["text"]).count("it is fine again") == 7


async def test_a_bundle_that_does_not_arrive_is_put_together_again(place: Place) -> None:
    place.server.answers(503)
    await place.all(EventKind.DOWN)
    await place.sent()
    later(minutes=30)
    place.server.answers(200)
    # one alone shows that the way works again
    alone, rest = await place.sent()
    assert alone["title"] == "machine-0: a backup is missing"
    assert rest["title"] == "7 repositories: a backup is missing"
    assert await Delivery.filter(state=DeliveryState.WAITING).count() == 0


async def test_nobody_gets_more_in_an_hour_than_is_set_but_what_is_critical(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = started().settings
    assert settings is not None
    limited = settings.notifications.model_copy(update={"messages_per_hour": 4})
    changed = settings.model_copy(update={"notifications": limited})
    monkeypatch.setattr(started(), "settings", changed)
    kinds = [EventKind.STALE_LOCK, EventKind.SESSION_FAILED, EventKind.NEW_NETWORK]
    sent = 0
    for kind in kinds:
        for one in place.repositories[:2]:
            await happen(one.id, kind)
            sent += len(await place.sent())
            later(minutes=1)
    assert sent == 4
    await happen(place.repositories[0].id, EventKind.DOWN)
    assert [one["kind"] for one in await place.sent()] == ["down"]
    later(hours=1)
    [rest] = await place.sent()
    assert rest["title"] == "2 messages that were held back"
    assert "Critical ones are never held back." in str(rest["text"])


async def test_programs_get_each_event(people: People, server: FarEnd, courier: Courier) -> None:
    at(NOON)
    await webhook(people.alice, server.url)
    for number in range(6):
        made = await factories.make_repository(people.alice, f"m-{number}")
        await happen(made.id, EventKind.DOWN)
    await deliver(courier)
    assert len(server.received) == 6
