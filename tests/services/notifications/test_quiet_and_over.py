"""What is over before it could be told, and what that must not take along."""

from __future__ import annotations

import pytest

from hive.database import transactional
from hive.kinds import DeliveryState, EventKind, Severity
from hive.models import Delivery
from hive.services.delivery.courier import Courier
from hive.services.notifications import rules
from hive.services.notifications.rules import AddRule
from hive.services.outbox import outbox
from hive.services.repositories.infos import RepositoryInfo
from tests import factories
from tests.factories import People
from tests.notify.far_end import FarEnd
from tests.services.notifications.support import NOON, at, deliver, happen, later, states, webhook

DROPPED, WAITING = DeliveryState.DROPPED, DeliveryState.WAITING


@pytest.fixture
async def repository(people: People, server: FarEnd) -> RepositoryInfo:
    """Alice's, who wants quiet from 13 to 15."""
    at(NOON)
    await webhook(people.alice, server.url)
    quiet = AddRule(name="all", channels=["hook"], quiet="13:00-15:00", is_quiet_for_critical=True)
    await rules.add(people.alice, "alice", quiet)
    return await factories.make_repository(people.alice)


async def test_a_trouble_that_came_and_went_in_quiet_hours_is_told_to_nobody(
    repository: RepositoryInfo, server: FarEnd, courier: Courier
) -> None:
    later(hours=1)
    await happen(repository.id, EventKind.DOWN)
    await happen(repository.id, EventKind.STILL_DOWN)
    await happen(repository.id, EventKind.RECOVERED, former="down")
    assert await states() == [DROPPED] * 3
    later(hours=3)
    await deliver(courier)
    assert server.received == []


async def test_the_end_of_what_was_told_before_the_quiet_hours_is_told_after_them(
    repository: RepositoryInfo, server: FarEnd, courier: Courier
) -> None:
    await happen(repository.id, EventKind.DOWN)
    await deliver(courier)
    later(hours=1)
    await happen(repository.id, EventKind.STILL_DOWN)
    await happen(repository.id, EventKind.RECOVERED, former="down")
    later(hours=3)
    await deliver(courier)
    assert [one.json()["kind"] for one in server.received] == ["down", "recovered"]


async def test_the_end_of_one_alarm_neither_ends_nor_hides_another(
    repository: RepositoryInfo,
) -> None:
    later(hours=1)
    await happen(repository.id, EventKind.STALE_LOCK)
    await happen(repository.id, EventKind.QUOTA_FILLING)
    await happen(repository.id, EventKind.ALARM_ENDED, alarm="quota filling up")
    assert await states() == [WAITING, DROPPED, DROPPED]
    await happen(repository.id, EventKind.ALARM_ENDED, alarm="stale lock")
    assert await states() == [DROPPED] * 4


async def test_a_second_trouble_is_not_taken_for_the_first_one(
    repository: RepositoryInfo, server: FarEnd, courier: Courier
) -> None:
    await happen(repository.id, EventKind.DOWN)
    await happen(repository.id, EventKind.RECOVERED, former="down")
    await deliver(courier)
    later(hours=1)
    await happen(repository.id, EventKind.DOWN)
    await happen(repository.id, EventKind.RECOVERED, former="down")
    later(hours=3)
    await deliver(courier)
    assert [one.json()["kind"] for one in server.received] == ["down", "recovered"]


async def test_a_disk_that_has_room_again_takes_no_other_along(
    people: People, server: FarEnd
) -> None:
    at(NOON)
    await webhook(people.admin, server.url)
    await rules.add(
        people.admin, "admin", AddRule(name="all", channels=["hook"], quiet="11:00-15:00")
    )

    @transactional
    async def tell(root: str, severity: Severity, *, is_over: bool = False) -> None:
        ends = [EventKind.DISK_FILLING] if is_over else []
        kind = EventKind.DISK_FILLING
        key = f"disk:{root}:{severity}"
        await outbox.tell_administrators(key, kind, severity, root, root, ends=ends)

    await tell("/one", Severity.WARNING)
    await tell("/two", Severity.WARNING)
    await tell("/two", Severity.RECOVERY, is_over=True)
    assert await Delivery.filter(notification__title="/one", state=WAITING).exists()
