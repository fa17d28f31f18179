"""What was told is shown to whom it was told, with what became of it."""

from __future__ import annotations

import pytest

from hive.errors import NotFound
from hive.kinds import DeliveryState, EventKind
from hive.services.notifications import history, preferences
from tests import factories
from tests.factories import People
from tests.services.notifications.support import happen, webhook


async def test_a_notification_shows_its_ways_and_its_repository(people: People) -> None:
    await webhook(people.alice, "https://example.org", "one")
    await webhook(people.alice, "https://example.org", "two")
    made = await factories.make_repository(people.alice)
    await happen(made.id, EventKind.DOWN)
    [told] = await history.notifications(people.alice)
    assert (told.repository_id, told.repository) == (made.id, "documents")
    assert [(way.channel, way.channel_kind, way.state) for way in told.ways] == [
        ("one", "webhook", DeliveryState.WAITING),
        ("two", "webhook", DeliveryState.WAITING),
    ]
    assert not any(one.may_be_repeated for one in await history.deliveries(people.alice))


async def test_only_administrators_look_at_what_others_were_told(people: People) -> None:
    await preferences.change(people.admin, "admin", is_told_of_critical=False)
    for person in (people.alice, people.charlie):
        await webhook(person, "https://example.org")
        made = await factories.make_repository(person, person.name)
        await happen(made.id, EventKind.DOWN)
    assert len(await history.notifications(people.admin)) == 2
    assert len(await history.deliveries(people.admin)) == 2
    for user in ("alice", people.alice.user_id):
        [told] = await history.notifications(people.admin, user=user)
        [sent] = await history.deliveries(people.admin, user=user)
        assert (told.user, sent.user) == ("alice", "alice")
    assert len(await history.deliveries(people.charlie, user="charlie")) == 1
    for user in ("alice", "nobody"):
        with pytest.raises(NotFound):
            await history.notifications(people.charlie, user=user)
        with pytest.raises(NotFound):
            await history.deliveries(people.charlie, user=user)
