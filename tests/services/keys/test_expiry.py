"""Owners of keys that expire are warned in time, and once for each step."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from hive import clock
from hive.kinds import Access
from hive.models import Key, Notification
from hive.services.keys import expiry, grants
from hive.services.keys.grants import ChangeAccess
from hive.services.repositories import catalogue
from tests import factories
from tests.factories import People

END = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    yield
    clock.use(None)


def at(**before: float) -> None:
    clock.use(lambda: END - timedelta(**before))


async def expiring(people: People) -> int:
    at(days=60)
    key = await factories.make_key(people.alice)
    made = await catalogue.add_repository(people.alice, "documents", owner="alice")
    wanted = ChangeAccess(key_accesses={key.id: Access.FULL})
    await grants.change_access(people.alice, made.id, wanted)
    await Key.filter(id=key.id).update(expires_at=END)
    return key.id


async def titles() -> list[str]:
    return [str(row.title) for row in await Notification.all().order_by("id")]


async def test_the_owner_is_warned_once_for_each_step(people: People) -> None:
    await expiring(people)
    told = []
    for hours in range(24 * 16, -48, -1):
        at(hours=hours)
        if await expiry.warn():
            told.append(hours)
    assert told == [24 * 14, 24 * 3, 24, 0]
    soon = "The key laptop expires soon"
    assert await titles() == [soon, soon, soon, "The key laptop has expired"]
    assert {row.user_id for row in await Notification.all()} == {people.alice.user_id}
    last = await Notification.all().order_by("-id").first()
    assert last is not None
    assert "documents" in str(last.text)


async def test_a_server_that_was_off_warns_once_of_where_it_is(people: People) -> None:
    await expiring(people)
    at(days=2)
    assert await expiry.warn() == 1
    assert await expiry.warn() == 0


async def test_what_opens_nothing_or_is_disabled_is_no_news(people: People) -> None:
    key_id = await expiring(people)
    idle = await factories.make_key(people.bob, "idle")
    await Key.filter(id=idle.id).update(expires_at=END)
    await Key.filter(id=key_id).update(enabled=False)
    at(days=1)
    assert await expiry.warn() == 0


async def test_a_later_end_begins_anew(people: People) -> None:
    key_id = await expiring(people)
    at(days=2)
    assert await expiry.warn() == 1
    await Key.filter(id=key_id).update(expires_at=END + timedelta(days=10))
    assert await expiry.warn() == 1
