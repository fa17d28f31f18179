"""Repositories on the disk, measured; with real borg."""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hive import clock, signals
from hive.borg.repository import last_transaction, snapshot
from hive.config.settings import Settings
from hive.kinds import Access, EndReason, EventKind, Need
from hive.models import Alarm, Event, Repository, Session, Statistic
from hive.services.alarms import alarms
from hive.services.gate.admission import Admission, SessionRequest, admit
from hive.services.gate.authentication import Identity
from hive.services.measurements import insights, statistics
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from hive.services.server import jobs, scheduler
from hive.services.sessions import record
from hive.services.sessions.record import Outcome
from hive.services.storage import disk_alarms, disks
from hive.services.storage.disks import Space
from tests import factories
from tests.factories import People

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
async def documents(people: People) -> RepositoryInfo:
    key = await factories.make_key(people.alice)
    return await factories.make_repository(
        people.alice, accesses={key.fingerprint: Access.APPEND_ONLY}
    )


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "borg"


async def fill(
    info: RepositoryInfo, base: Path, *, size: int = 3_000_000, is_new: bool = False
) -> None:
    content = "".join(f"{number:09}\n" for number in range(size // 10))
    make = factories.make_borg_repository
    await asyncio.to_thread(make, info.path, base, content=content, is_new=is_new)


async def session_on(info: RepositoryInfo, peer: str = "192.0.2.7") -> Admission:
    key = info.keys[0]
    identity = Identity(info.login, info.id, key.key_id, key.fingerprint)
    return await admit(identity, SessionRequest(Need.BORG, "borg serve", peer, None))


async def finished(info: RepositoryInfo, peer: str = "192.0.2.7") -> int:
    admission = await session_on(info, peer)
    await record.finish(
        admission.session_id,
        Outcome(end_reason=EndReason.DONE, exit_status=0, bytes_in=1, bytes_out=1),
    )
    return admission.session_id


async def told(kind: EventKind) -> list[dict[str, Any]]:
    return [row.details for row in await Event.filter(kind=kind).order_by("id")]


async def test_a_repository_that_is_not_created_has_nothing_to_measure(
    documents: RepositoryInfo,
) -> None:
    await statistics.measure(documents.id)
    assert await Statistic.all().count() == 0
    insight = await insights.insight_of(documents)
    assert (insight.kind, insight.problem, insight.live_bytes) == ("none", None, None)


async def test_measuring_keeps_the_sizes_and_shows_them(
    documents: RepositoryInfo, base: Path
) -> None:
    await fill(documents, base)
    await statistics.measure(documents.id)
    row = await Statistic.get()
    insight = await insights.insight_of(documents)
    assert (insight.kind, insight.encryption, insight.problem) == ("borg1", "none", None)
    assert insight.live_bytes == row.live_bytes
    assert insight.size_bytes == row.size_bytes == (await Repository.get()).size_bytes
    await statistics.measure(documents.id)
    assert await Statistic.all().count() == 1  # nothing changed
    clock.use(lambda: datetime.now(UTC) + timedelta(days=1))
    await statistics.measure(documents.id)
    assert await Statistic.all().count() == 2  # one a day all the same


async def test_a_broken_repository_is_told_once_and_stops_no_other(
    people: People, documents: RepositoryInfo, base: Path
) -> None:
    other = await factories.make_repository(people.alice, "other")
    await fill(documents, base)
    await fill(other, base)
    config = documents.path / "config"
    content = config.read_bytes()
    config.write_bytes(b"\xff")
    for _ in range(3):
        await statistics.measure_all()
    assert [row.repository_id for row in await Statistic.all()] == [other.id]
    assert len(await told(EventKind.MEASURING_FAILED)) == 1
    insight = await insights.insight_of(documents)
    assert "not borg's config" in (insight.problem or "")
    lasting = await alarms.lasting(documents.id)
    assert [alarm.kind for alarm in lasting] == [EventKind.MEASURING_FAILED]
    config.write_bytes(content)
    await statistics.measure_all()
    assert (await insights.insight_of(documents)).problem is None
    assert [one["alarm"] for one in await told(EventKind.ALARM_ENDED)] == ["measuring failed"]
    config.write_bytes(b"\xff")
    await statistics.measure_all()
    assert len(await told(EventKind.MEASURING_FAILED)) == 2


async def test_at_start_only_what_changed_since_it_was_measured_is_measured(
    people: People, documents: RepositoryInfo, base: Path
) -> None:
    other = await factories.make_repository(people.alice, "other")
    await factories.make_repository(people.alice, "unused")
    for one in (documents, other):
        await fill(one, base)
        await record.note_snapshot(one.id, snapshot(one.path))
    assert await statistics.measure_outstanding() == 3  # none was ever measured
    assert await statistics.measure_outstanding() == 0
    transaction = last_transaction(other.path)
    create = ("create", f"{other.path}::second", base / "source")
    await asyncio.to_thread(factories.borg, *create, base=base)
    assert last_transaction(other.path) > transaction
    await record.note_snapshot(other.id, snapshot(other.path))
    assert await statistics.measure_outstanding() == 1
    assert (await insights.insight_of(other)).transaction == last_transaction(other.path)
    assert await statistics.measure_outstanding() == 0


async def test_at_start_what_could_not_be_measured_is_tried_again(
    documents: RepositoryInfo, base: Path
) -> None:
    await fill(documents, base)
    await record.note_snapshot(documents.id, snapshot(documents.path))
    config = documents.path / "config"
    content = config.read_bytes()
    config.write_bytes(b"\xff")
    await statistics.measure_all()
    assert await statistics.measure_outstanding() == 1
    config.write_bytes(content)
    assert await statistics.measure_outstanding() == 1
    assert (await insights.insight_of(documents)).problem is None
    assert await statistics.measure_outstanding() == 0


async def test_a_deletion_by_an_append_only_key_is_told_with_its_numbers(
    documents: RepositoryInfo, base: Path
) -> None:
    await fill(documents, base)
    await statistics.measure(documents.id)
    await asyncio.to_thread(factories.borg, "delete", f"{documents.path}::first", base=base)
    session_id = await finished(documents)
    await statistics.measure(documents.id, session_id)
    event = await Event.get(kind=EventKind.APPEND_ONLY_DELETION)
    assert event.session_id == session_id
    assert event.details["lost_bytes"] > 10_000
    await statistics.measure(documents.id, await finished(documents))
    assert len(await told(EventKind.APPEND_ONLY_DELETION)) == 1


async def test_another_repository_in_its_place_is_told(
    documents: RepositoryInfo, base: Path
) -> None:
    await fill(documents, base)
    await statistics.measure(documents.id)
    shutil.rmtree(documents.path)
    await fill(documents, base.with_name("other"), is_new=True)
    await statistics.measure(documents.id)
    (alarm,) = await alarms.lasting(documents.id)
    assert (alarm.kind, alarm.in_short) == (EventKind.REPLACED, "Replaced")
    assert "its id was" in alarm.message


async def test_an_older_copy_in_its_place_is_told(
    documents: RepositoryInfo, base: Path, tmp_path: Path
) -> None:
    await fill(documents, base)
    shutil.copytree(documents.path, tmp_path / "older")
    target = f"{documents.path}::second"
    await asyncio.to_thread(factories.borg, "create", target, base / "source", base=base)
    await statistics.measure(documents.id)
    shutil.rmtree(documents.path)
    shutil.copytree(tmp_path / "older", documents.path)
    await statistics.measure(documents.id)
    (details,) = await told(EventKind.WENT_BACK)
    assert details["transaction"] < details["transaction_before"]
    shutil.rmtree(documents.path)
    await statistics.measure(documents.id)
    assert len(await told(EventKind.CONTENT_GONE)) == 1
    lasting = await alarms.lasting(documents.id)
    assert [one.in_short for one in lasting] == ["Content gone", "Went back"]
    assert (await Repository.get()).size_bytes is None


async def test_the_first_use_of_a_key_and_each_new_network_is_told(
    documents: RepositoryInfo, base: Path
) -> None:
    await fill(documents, base, size=10)
    for peer in ("192.0.2.7", "192.0.2.99", "2001:db8::1", "2001:db8::2", "198.51.100.1"):
        session_id = await finished(documents, peer)
        await statistics.measure(documents.id, session_id)
        await statistics.measure(documents.id, session_id)
    assert [one["network"] for one in await told(EventKind.KEY_FIRST_USED)] == ["192.0.2.0/24"]
    networks = [one["network"] for one in await told(EventKind.NEW_NETWORK)]
    assert networks == ["2001:db8::/64", "198.51.100.0/24"]


async def test_each_step_of_the_quota_is_told_once(documents: RepositoryInfo) -> None:
    row = await Repository.get(id=documents.id)
    row.quota_bytes = 100_000_000
    for percent in (50, 81, 85, 79, 92, 91, 99, 100, 100, 30, 30, 85):
        await alarms.check_quota(row, percent * 1_000_000)
    assert [one["level"] for one in await told(EventKind.QUOTA_FILLING)] == [80, 90, 100, 80]
    assert len(await told(EventKind.ALARM_ENDED)) == 1
    await alarms.check_quota(row, 86_000_000, is_exceeded=True)
    assert (await told(EventKind.QUOTA_FILLING))[-1]["level"] == 100
    last = await Event.filter(kind=EventKind.QUOTA_FILLING).latest("id")
    assert last is not None
    assert "New data was refused" in last.message


async def test_each_step_of_a_disk_is_told_once(
    hive: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    unsubscribe = signals.subscribe(
        lambda one: heard.append(one.level) if isinstance(one, signals.DiskAlarm) else None
    )
    for now in (10, 81, 82, 96, 94, 94, 10):
        gib = 1024**3
        space = Space(used_bytes=now * gib, free_bytes=(100 - now) * gib)
        monkeypatch.setattr(disks, "measure", lambda _, space=space: space)
        await disk_alarms.check_disks()
    unsubscribe()
    assert heard == [80, 95, 0]
    assert await Alarm.all().count() == 0


async def test_integrity_errors_last_until_a_check_finds_none(documents: RepositoryInfo) -> None:
    for _ in range(2):
        await alarms.integrity_error(documents.id, "Segment 7 is damaged.", segment=7)
    await alarms.integrity_proven(documents.id)
    await alarms.integrity_proven(documents.id)
    (details,) = await told(EventKind.INTEGRITY_ERROR)
    assert details["segment"] == 7
    assert len(await told(EventKind.ALARM_ENDED)) == 1


async def test_old_measurements_are_thinned_out(documents: RepositoryInfo) -> None:
    clock.use(lambda: NOW)
    for hours in range(0, 24 * 60, 6):
        await Statistic.create(
            repository_id=documents.id, at=NOW - timedelta(hours=hours), size_bytes=hours
        )
    assert await statistics.thin_out() > 0
    assert await statistics.thin_out() == 0
    left = await Statistic.all().count()
    assert 31 * 4 + 28 <= left <= 31 * 4 + 31


async def test_growth_and_the_day_when_it_is_full_are_shown(
    documents: RepositoryInfo, base: Path
) -> None:
    await catalogue.set_repository(OPERATOR, documents.id, quota_bytes=100_000_000)
    for day in range(1, 20):
        await Statistic.create(
            repository_id=documents.id,
            at=clock.now() - timedelta(days=day),
            size_bytes=50_000_000 - day * 1_000_000,
        )
    await fill(documents, base)
    await statistics.measure(documents.id)
    info = await catalogue.info_by_id(documents.id)
    insight = await insights.insight_of(info)
    assert insight.growth_bytes_per_week is not None
    assert 5_000_000 < insight.growth_bytes_per_week < 8_000_000
    assert insight.quota_full_on is not None
    assert insight.quota_full_on > clock.now().date() + timedelta(days=60)


async def test_a_session_of_a_deleted_repository_is_no_error(documents: RepositoryInfo) -> None:
    await statistics.measure(999_999)
    assert await Session.all().count() == 0


async def test_every_job_runs(hive: Settings) -> None:
    done = [await scheduler.run_here(OPERATOR, job.name) for job in jobs.JOBS]
    assert [job for job in done if job.error is not None or job.succeeded_at is None] == []
