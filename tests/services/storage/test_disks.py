"""How full a disk is, what is kept free on it, and what is given up when it is full."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hive import clock
from hive.ballast import Ballast
from hive.config.settings import Settings
from hive.database import transactional
from hive.errors import DatabaseFull
from hive.models import Alarm, Inspection, Location, Notification
from hive.services import runtime
from hive.services.alarms.rules import DISK_STEPS
from hive.services.measurements import insights
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from hive.services.storage import disk_alarms, disks, locations, paths
from hive.services.storage.disks import FULL, Space
from hive.services.upkeep import making_room
from tests import factories
from tests.factories import People
from tests.full_disks import MIB, fill, free_bytes, may_mount, small_disk

GIB = 1024 * MIB
needs_mount = pytest.mark.skipif(not may_mount(), reason="a tmpfs cannot be mounted here")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 30) as path:
        yield path


@pytest.mark.parametrize(
    ("total", "reserve"),
    [
        (60 * MIB, 6 * MIB),  # a tenth of a small disk
        (2 * GIB, 2 * GIB // 10),
        (20 * GIB, 512 * MIB),
        (200 * GIB, 2 * GIB),  # 1 %
        (8000 * GIB, 10 * GIB),
    ],
)
async def test_what_is_kept_free_fits_the_disk(hive: Settings, total: int, reserve: int) -> None:
    assert Space(used_bytes=0, free_bytes=total).reserve_bytes == reserve
    assert not Space(used_bytes=total - reserve, free_bytes=reserve).is_full
    assert Space(used_bytes=total - reserve + 1, free_bytes=reserve - 1).is_full


async def test_a_disk_without_inodes_is_full(hive: Settings) -> None:
    assert Space(used_bytes=0, free_bytes=GIB, used_inodes=999_999, free_inodes=1).is_full
    assert not Space(
        used_bytes=0, free_bytes=GIB, used_inodes=0, free_inodes=0
    ).is_full  # it has no number of them


async def test_the_levels_rise_to_full_and_fall_a_little_later(hive: Settings) -> None:
    def space(free_gib: float) -> Space:
        return Space(used_bytes=int((200 - free_gib) * GIB), free_bytes=int(free_gib * GIB))

    assert [space(free).level() for free in (100, 39, 19, 9, 1)] == [0, *DISK_STEPS, FULL]
    assert space(2.2).level(FULL) == FULL
    assert space(2.6).level(FULL) == DISK_STEPS[-1]


async def test_a_large_reserve_is_announced_before_it_is_reached(tmp_path: Path) -> None:
    settings = factories.make_settings(tmp_path / "data", **{"storage.reserve": "50GiB"})
    await runtime.start(settings)
    try:
        assert Space(used_bytes=110 * GIB, free_bytes=90 * GIB).level() == DISK_STEPS[-2]
        assert Space(used_bytes=155 * GIB, free_bytes=45 * GIB).level() == FULL
    finally:
        await runtime.stop()


async def test_doctor_alarm_and_overview_measure_alike(people: People) -> None:
    (info,) = await disks.disks({(await Location.get()).id})
    (disk,) = await disks.all_disks()
    assert disk.space is not None
    assert abs(info.percent - disk.space.percent) <= 1 or disk.space.used_inodes
    assert f"{disk.space.percent:.0f} %" in disks.findings(disk).message


async def test_a_disk_is_full_on_one_day_for_all_that_lies_on_it(
    people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fills up with all that grows on it: by one location alone, it would seem to last longer.

    A location without a root shares the default one; another root may lie on the same disk.
    """
    await locations.add_location(
        OPERATOR, locations.AddLocation(name="second", host="b.example.org", port=22)
    )
    root = tmp_path / "other root"
    await locations.add_location(
        OPERATOR, locations.AddLocation(name="third", host="c.example.org", port=22, root=root)
    )
    space = Space(used_bytes=50 * GIB, free_bytes=150 * GIB)
    monkeypatch.setattr(disks, "measure", lambda _path: space)  # others write to it meanwhile
    weekly = (space.free_bytes - space.reserve_bytes) // 156
    infos = []
    for location in ("default", "second", "third"):
        info = await catalogue.add_repository(OPERATOR, location, owner="alice", location=location)
        await Inspection.create(repository_id=info.id, growth_bytes_per_week=weekly)
        infos.append(info)

    expected = clock.now().date() + timedelta(weeks=52)
    found = await disks.disks({row.id for row in await Location.all()})
    assert {(one.percent, one.soon_percent) for one in found} == {(25, 31)}
    days = {one.full_on for one in found}
    days |= {(await insights.insight_of(info)).disk_full_on for info in infos}
    (day,) = days
    assert day is not None
    assert abs(day - expected) <= timedelta(days=1)


@needs_mount
def test_a_ballast_is_allocated_given_up_and_taken_back(disk: Path) -> None:
    ballast = Ballast(disk / "ballast")
    ballast.grow(10 * MIB)
    assert ballast.path.stat().st_blocks * 512 == 10 * MIB
    fill(disk / "foreign")
    assert not ballast.relieve() or free_bytes(disk) == MIB
    assert ballast.size == 9 * MIB
    assert not ballast.relieve()  # there is enough
    assert ballast.give_up() == 9 * MIB
    assert free_bytes(disk) == 10 * MIB
    (disk / "used").write_bytes(bytes(3 * MIB))
    ballast.take_back(9 * MIB)
    assert ballast.size == 6 * MIB  # and 1 MiB is left for others
    ballast.grow(100 * MIB)
    assert ballast.size == 6 * MIB


@needs_mount
async def test_a_ballast_is_no_reason_for_a_full_disk(disk: Path) -> None:
    settings = factories.make_settings(
        disk / "data", **{"storage.ballast": True, "storage.root": disk / "root"}
    )
    await runtime.start(settings)
    try:
        fill(disk / "foreign", leave=4 * MIB)
        await making_room.look_after()
        assert paths.ballast(disk / "root").size == 0
        (disk / "foreign").unlink()
        await making_room.look_after()
        assert paths.ballast(disk / "root").size == 3 * MIB  # a tenth
        assert Ballast(settings.paths.ballast).size == 30 * MIB // 20
    finally:
        await runtime.stop()


@needs_mount
async def test_the_database_writes_on_until_its_ballast_is_used_up(disk: Path) -> None:
    settings = factories.make_settings(disk / "data", **{"storage.ballast": True})
    await runtime.start(settings)
    try:
        await factories.make_people()
        await making_room.look_after()
        fill(disk / "foreign")
        ballast = Ballast(settings.paths.ballast)

        @transactional
        async def write(number: int) -> None:
            # More than is free: one transaction meets the end of the disk.
            await Location.create(name=f"place{number}", host="x" * 200, created_at="2026-11-30")
            connection = Location._meta.db
            await connection.execute_query("CREATE TABLE IF NOT EXISTS filler (what BLOB)")
            await connection.execute_query("INSERT INTO filler VALUES (zeroblob(300000))")

        written = 0
        with contextlib.suppress(DatabaseFull):
            while written < 200:
                await write(written)
                written += 1
        assert written < 200
        assert ballast.size == 0
        assert written >= 3
        assert await Location.all().count() == written + 1  # each once, or not at all
        (disk / "foreign").unlink()
        await write(100)
        await making_room.look_after()
        assert ballast.size > 0
    finally:
        await runtime.stop()


async def test_sorting_takes_no_room_on_the_disk(hive: Settings) -> None:
    connection = Location._meta.db
    (row,) = await connection.execute_query_dict("PRAGMA temp_store")
    assert row["temp_store"] == 2  # in memory


@needs_mount
async def test_one_at_a_time_makes_room_on_a_full_disk(disk: Path) -> None:
    settings = factories.make_settings(
        disk / "data", **{"storage.ballast": True, "storage.root": disk / "root"}
    )
    await runtime.start(settings)
    try:
        root = settings.paths.repositories
        await making_room.look_after()
        async with making_room.borrowed(root), making_room.borrowed(root):
            assert paths.ballast(root).size > 0  # there is room: nothing is given up
        fill(disk / "foreign")
        lent = paths.ballast(root).size
        async with making_room.borrowed(root):
            assert paths.ballast(root).size == 0
            assert free_bytes(root) == lent
            with pytest.raises(making_room.BallastInUse, match="only one can at a time"):
                async with making_room.borrowed(root):
                    pass
        assert paths.ballast(root).size == lent - MIB
        async with making_room.borrowed(root):
            assert paths.ballast(root).size == 0
    finally:
        await runtime.stop()


async def test_administrators_are_notified_before_a_disk_is_full_when_it_is_and_when_it_is_over(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    await factories.hear_everything(people.admin)
    for free in (100, 30, 1, 1, 2.2, 5, 100):
        space = Space(used_bytes=int((200 - free) * GIB), free_bytes=int(free * GIB))
        monkeypatch.setattr(disks, "measure", lambda _, space=space: space)
        await disk_alarms.check_disks()
    titles = await Notification.all().order_by("id").values_list("title", flat=True)
    assert [str(title).rpartition(": ")[2] for title in titles] == [
        "80 % are used",
        "full, backups are refused",
        "backups are accepted again",
        "there is room again",
    ]
    assert not await Alarm.all().exists()


async def test_lent_ballast_is_free_for_nobody_else(hive: Settings) -> None:
    root = hive.paths.repositories
    before = disks.measure(root).free_bytes
    disks.note_lent(root, 10 * GIB)
    try:
        assert disks.measure(root).free_bytes < before - 9 * GIB
    finally:
        disks.note_lent(root, 0)
    assert disks.measure(root).free_bytes > before - GIB
