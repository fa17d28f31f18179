"""Alarms about the server itself: each is notified once, shown while it lasts, and ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hive.driver_error import DriverError
from hive.kinds import EventKind, Severity
from hive.models import Alarm, Notification
from hive.services.alarms import server_alarms
from hive.services.alarms.server_alarms import Trouble
from tests import factories
from tests.another_process import forget
from tests.factories import People

BORG = Trouble(
    EventKind.PROGRAM_UNUSABLE,
    "borg does not start",
    "borg does not start, so no backup can be taken.",
    "Install borgbackup.",
)


@pytest.fixture(autouse=True)
async def a_channel(people: People) -> None:
    await factories.hear_everything(people.admin)


async def fail(*_: object) -> None:
    raise DriverError("disk I/O error")


async def said() -> list[tuple[str, str]]:
    rows = await Notification.all().order_by("id")
    return [(row.severity, row.title) for row in rows]


async def test_a_trouble_is_notified_once_and_its_end_as_well() -> None:
    for _ in range(3):
        await server_alarms.report("program:borg", BORG)
    assert await said() == [(Severity.CRITICAL, "borg does not start")]
    assert server_alarms.outages() == [BORG.message]
    (finding,) = await server_alarms.findings()
    assert (finding.level, finding.message, finding.remedy) == (
        "error",
        BORG.message,
        "Install borgbackup.",
    )
    for _ in range(3):
        await server_alarms.report("program:borg", None)
    assert (await said())[1:] == [(Severity.RECOVERY, "Over: borg does not start")]
    assert server_alarms.outages() == []
    assert await server_alarms.findings() == []


async def test_a_trouble_that_a_former_server_reported_is_ended_by_the_next() -> None:
    await server_alarms.report("program:borg", BORG)
    forget(server_alarms)
    await server_alarms.report("program:borg", None)
    assert [severity for severity, _ in await said()] == [Severity.CRITICAL, Severity.RECOVERY]


async def test_a_trouble_is_shown_though_it_cannot_be_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(server_alarms, "_store", fail)
        await server_alarms.report("program:borg", BORG)
    assert server_alarms.outages() == [BORG.message]
    assert not await Alarm.exists()
    await server_alarms.report("program:borg", BORG)
    assert await Alarm.filter(subject="program:borg").count() == 1


async def test_a_trouble_that_is_over_before_it_could_be_stored_is_notified_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(server_alarms, "_store", fail)
        await server_alarms.report("program:borg", BORG)
        await server_alarms.report("program:borg", None)
        assert server_alarms.outages() == []
    assert await said() == []
    for _ in range(2):
        await server_alarms.report("program:borg", None)
    assert await said() == [
        (Severity.CRITICAL, "borg does not start"),
        (Severity.RECOVERY, "Over: borg does not start"),
    ]
    assert await server_alarms.findings() == []


async def test_nothing_is_known_of_the_repositories_that_a_trouble_concerns() -> None:
    away = replace(BORG, unknown="Storage unavailable", location_id=3)
    await server_alarms.report("location:3", away)
    assert [server_alarms.unknown(one) for one in (3, 4)] == ["Storage unavailable", ""]
    await server_alarms.report("clock", replace(BORG, unknown="Clock jumped"))
    assert [bool(server_alarms.unknown(one)) for one in (3, 4)] == [True, True]
