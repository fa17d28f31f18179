"""Whose storage is at a root, and whether it is there: markers, adoption, copies, silence."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hive import clock
from hive.config.settings import Settings
from hive.errors import AccessRefused, Conflict, StorageError
from hive.kinds import EndReason, EventKind, Health, Need, Severity
from hive.models import Alarm, Event, Location, Notification, Repository, Session
from hive.services import runtime
from hive.services.alarms import server_alarms
from hive.services.gate import admission as access
from hive.services.gate import authentication
from hive.services.gate.admission import SessionRequest
from hive.services.health import review
from hive.services.installation import marker, presence
from hive.services.lifecycle import trash
from hive.services.measurements import statistics
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from hive.services.server import recovery
from hive.services.server.storage_watch import StorageWatch
from hive.services.storage import claiming, locations, paths, places, preparing
from hive.services.storage.places import Absence
from tests import factories
from tests.another_process import forget
from tests.factories import People

TIME = datetime(2026, 11, 1, 12, tzinfo=UTC)


async def default() -> Location:
    return await Location.get(is_default=True)


async def kind(location: Location | None = None) -> Absence | None:
    away = await places.look(location or await default(), max_age=0)
    return None if away is None else away.kind


def root() -> Path:
    return runtime.paths().repositories


@contextmanager
def moved_away(path: Path) -> Iterator[None]:
    """The root is not there for a while: an empty mount point is."""
    away = path.with_name("unmounted")
    path.rename(away)
    path.mkdir()
    try:
        yield
        assert list(path.iterdir()) == []  # nobody has made anything there
    finally:
        path.rmdir()
        away.rename(path)


async def test_a_root_carries_the_ids_of_its_location_and_installation(
    people: People, tmp_path: Path
) -> None:
    info = await locations.add_location(
        people.admin, locations.AddLocation(name="x", host="h", root=tmp_path / "x")
    )
    path = tmp_path / "x" / marker.NAME
    written = json.loads(path.read_text())
    row = await Location.get(id=info.id)
    assert written["installation"] == runtime.installation().uid
    assert written["locations"] == [row.uid]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [one.name for one in (tmp_path / "x").iterdir()] == [marker.NAME]
    assert await kind(row) is None


async def test_locations_that_share_a_root_share_its_marker(people: People) -> None:
    info = await locations.add_location(people.admin, locations.AddLocation(name="x", host="h"))
    rows = [await default(), await Location.get(id=info.id)]
    found = marker.read(root())
    assert found is not None
    assert set(found.locations) == {row.uid for row in rows}
    assert [await kind(row) for row in rows] == [None, None]


async def test_no_location_is_made_on_a_root_that_another_installation_uses(
    people: People, tmp_path: Path
) -> None:
    place = tmp_path / "x"
    place.mkdir()
    marker.write(place, marker.Marker("another", ("its",), ""))
    with pytest.raises(StorageError, match="used by another installation"):
        await locations.add_location(
            people.admin, locations.AddLocation(name="x", host="h", root=place)
        )
    assert not await Location.filter(name="x").exists()


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (None, Absence.UNMARKED),
        ("no JSON", Absence.DAMAGED),
        ("[]", Absence.DAMAGED),
        ('{"installation": 1}', Absence.DAMAGED),
        ('{"installation": "MINE", "locations": "x"}', Absence.DAMAGED),
        ('{"installation": "MINE", "locations": ["other"]}', Absence.MISPLACED),
        ('{"installation": "other", "locations": []}', Absence.FOREIGN),
    ],
)
async def test_what_is_wrong_with_a_marker(
    people: People, content: str | None, wanted: Absence
) -> None:
    path = root() / marker.NAME
    if content is None:
        path.unlink()
    else:
        path.write_text(content.replace("MINE", str(runtime.installation().uid)))
    assert await kind() == wanted


async def test_a_root_that_is_missing_is_not_made(hive: Settings) -> None:
    assert await kind() is None
    shutil.rmtree(root())
    assert await kind() == Absence.MISSING
    await runtime.stop()
    await runtime.start(hive)
    assert not root().exists()
    assert await kind() == Absence.MISSING


async def test_a_root_that_does_not_answer_holds_up_nobody(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "PATIENCE", 0.3)
    answer, asked = threading.Event(), []

    def hang(path: Path) -> marker.Marker | None:
        asked.append(path)
        answer.wait()
        return real(path)

    real = marker.read
    monkeypatch.setattr(marker, "read", hang)
    location = await default()
    assert await kind(location) == Absence.SILENT
    async with asyncio.timeout(0.2):  # nobody waits a second time
        assert [await kind(location) for _ in range(20)] == [Absence.SILENT] * 20
    assert len(asked) == 1
    infos = await locations.list_locations(people.admin)
    assert infos[0].free_bytes is None
    assert "does not answer" in (infos[0].problem or "")
    answer.set()
    while await kind(location) is not None:
        await asyncio.sleep(0.01)


async def test_sessions_that_come_at_once_share_one_look(
    hive: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Path] = []
    real = marker.read

    def counted(path: Path) -> marker.Marker | None:
        looks.append(path)
        return real(path)

    monkeypatch.setattr(marker, "read", counted)
    location = await default()
    await asyncio.gather(*(places.look(location) for _ in range(50)))
    assert len(looks) == 1


@pytest.fixture
async def documents(people: People) -> RepositoryInfo:
    """A repository with content, whose key may write."""
    key = await factories.make_key(people.alice)
    info = await factories.make_repository(people.alice, accesses={key.fingerprint: "full"})  # type: ignore[dict-item]  # by its value
    (info.path).mkdir(parents=True)
    (info.path / "config").write_text("[repository]\nid = 00\n")
    await Repository.filter(id=info.id).update(initialized_at=TIME, last_backup_at=TIME)
    return info


async def ask_for(info: RepositoryInfo, need: Need = Need.BORG) -> access.Admission:
    key = info.keys[0].fingerprint
    identity = await authentication.authenticate(info.login, key, "192.0.2.7")
    assert identity is not None
    await access.look_at_storage(identity)
    return await access.admit(identity, SessionRequest(need, "borg serve", "192.0.2.7", None))


async def test_only_the_status_is_told_while_the_storage_is_away(
    documents: RepositoryInfo,
) -> None:
    forget(presence)
    with moved_away(root()):
        await asyncio.sleep(0)
        forget(places, presence)
        with pytest.raises(AccessRefused, match="its marker file is missing"):
            await ask_for(documents)
        assert (await ask_for(documents, Need.STATUS)).is_created
        with pytest.raises(StorageError, match="not available"):
            await trash.delete_repository(OPERATOR, documents.id)
        await statistics.measure(documents.id)
        assert await trash.empty_expired() == 0
        with pytest.raises(StorageError, match="not available"):
            preparing.prepare(paths.Place(root(), documents.login, "documents"), None, staging=True)
    row = await Repository.get(id=documents.id)
    assert row.initialized_at is not None
    assert not await Event.filter(kind__in=[EventKind.SHRUNK, EventKind.UPDATED_LOCALLY]).exists()


async def test_one_alarm_tells_of_a_location_and_its_end(
    documents: RepositoryInfo, people: People
) -> None:
    await factories.make_repository(people.bob)
    await factories.hear_everything(people.admin)
    watcher = StorageWatch()
    await watcher.begin()
    with moved_away(root()):
        forget(places, presence)
        for _ in range(3):
            await watcher.begin()
        location = await default()
        assert server_alarms.unknown(location.id) == "Storage unavailable"
        (words,) = server_alarms.outages()
        assert "marker file is missing" in words
        assert str(root()) not in words
        assert location.away_since is not None
        assert await Alarm.filter(subject=f"location:{location.id}").count() == 1
    forget(places, presence)
    await watcher.begin()
    assert server_alarms.outages() == []
    location = await default()
    assert (location.away_since, location.returned_at is None) == (None, False)
    assert not await Alarm.exists()
    said = [(row.severity, row.title) for row in await Notification.all().order_by("id")]
    assert said == [
        (Severity.CRITICAL, "Storage of default unavailable"),
        (Severity.RECOVERY, "Over: Storage of default unavailable"),
    ]


async def test_down_waits_for_the_storage_and_then_for_the_grace(
    documents: RepositoryInfo,
) -> None:
    hours = 0

    def now() -> datetime:
        return TIME + timedelta(hours=hours)

    clock.use(now)
    watcher = StorageWatch()
    await Repository.filter(id=documents.id).update(
        schedule_kind="interval", schedule_seconds=86400, grace_seconds=6 * 3600
    )
    await review.review(documents.id)
    with moved_away(root()):
        forget(places, presence)
        await watcher.begin()
        hours = 72
        assert await review.review_due() == 0
        assert not await review.review(documents.id)
        assert (await Repository.get(id=documents.id)).health == Health.FINE
    forget(places, presence)
    await watcher.begin()
    await review.review_due()
    assert (await Repository.get(id=documents.id)).health == Health.LATE
    hours = 72 + 5
    await review.review_due()
    assert (await Repository.get(id=documents.id)).health == Health.LATE
    hours = 72 + 6
    await review.review_due()
    assert (await Repository.get(id=documents.id)).health == Health.DOWN


# upgrades


async def become_former(settings: Settings) -> None:
    """Make the data directory one of the version before: its schema, and no marker."""
    await runtime.stop()
    (settings.paths.repositories / marker.NAME).unlink()
    settings.paths.node.unlink()
    added = {
        "location": ("uid", "marked_at", "away_since", "returned_at"),
        "installation": ("uid", "former_uid", "node"),
        "repository": ("vanished_at",),
    }
    with closing(sqlite3.connect(settings.paths.database)) as connection:
        for table, columns in added.items():
            for column in columns:
                connection.execute(f'ALTER TABLE "{table}" DROP COLUMN "{column}"')
        connection.execute("DELETE FROM tortoise_migrations WHERE name = '0017_places'")
        connection.commit()


async def test_an_upgrade_adopts_a_root_where_the_content_is(
    hive: Settings, documents: RepositoryInfo
) -> None:
    await become_former(hive)
    await runtime.start(hive)
    assert await kind() is None
    assert (root() / marker.NAME).exists()
    assert (await default()).marked_at is not None


@pytest.mark.parametrize("is_missing", [False, True])
async def test_an_upgrade_adopts_a_root_where_nothing_ever_was(
    hive: Settings, people: People, is_missing: bool
) -> None:
    await factories.make_repository(people.alice)
    await become_former(hive)
    if is_missing:
        hive.paths.repositories.rmdir()
    await runtime.start(hive)
    assert await kind() is None
    assert (root() / marker.NAME).exists()


@pytest.mark.parametrize("was_seen_gone", [False, True])
async def test_an_upgrade_waits_for_a_person_where_the_content_is_missing(
    hive: Settings, documents: RepositoryInfo, was_seen_gone: bool
) -> None:
    await become_former(hive)
    shutil.rmtree(documents.path.parent)
    if was_seen_gone:  # by the former version, which ran without the disk
        with closing(sqlite3.connect(hive.paths.database)) as connection:
            connection.execute("UPDATE repository SET initialized_at = NULL")
            connection.commit()
    await runtime.start(hive)
    assert await kind() == Absence.NOT_ADOPTED
    assert list(root().iterdir()) == []
    with pytest.raises(AccessRefused, match="content of 1 of its repositories was not found"):
        await ask_for(documents)
    location = await default()
    await claiming.adopt(OPERATOR, location.id)
    assert await kind() is None
    with pytest.raises(AccessRefused, match="is gone from the server's disk"):
        await ask_for(documents)
    await catalogue.confirm_empty(OPERATOR, documents.id)
    assert not (await ask_for(documents)).is_created
    with pytest.raises(Conflict, match="there is nothing to confirm"):
        await catalogue.confirm_empty(OPERATOR, documents.id)


# copies of the data directory


async def test_a_copy_is_another_node_and_keeps_off_the_storage_of_the_original(
    hive: Settings, people: People, tmp_path: Path
) -> None:
    vault = tmp_path / "vault"
    info = await locations.add_location(
        people.admin, locations.AddLocation(name="vault", host="h", root=vault)
    )
    node, token, uid = runtime.node(), runtime.run_token(), runtime.installation().uid
    host_id = runtime.host_id()
    await runtime.stop()
    copy = factories.make_settings(tmp_path / "copy")
    shutil.copytree(hive.paths.data_dir, copy.paths.data_dir, copy_function=shutil.copy2)
    await runtime.start(copy, is_server=True)
    assert runtime.node() != node
    assert runtime.run_token() != token
    assert runtime.installation().uid != uid
    assert runtime.host_id() == host_id
    # what lies in the directory was copied with it; what lies elsewhere was not
    assert await kind() is None
    location = await Location.get(id=info.id)
    assert await kind(location) == Absence.FOREIGN
    found = marker.read(vault)
    assert found is not None
    assert found.installation == uid
    with pytest.raises(Conflict, match="take-over"):
        await claiming.adopt(OPERATOR, info.id)
    await claiming.take_over(OPERATOR, info.id)
    assert await kind(location) is None
    with pytest.raises(Conflict, match="not used by another"):
        await claiming.take_over(OPERATOR, info.id)
    await runtime.stop()
    await runtime.start(hive)  # the original is what it was, and keeps off now
    assert (runtime.node(), runtime.installation().uid) == (node, uid)
    assert await kind(await Location.get(id=info.id)) == Absence.FOREIGN


async def test_a_restart_and_a_move_on_the_same_disk_change_nothing(
    hive: Settings, people: People, tmp_path: Path
) -> None:
    node, uid = runtime.node(), runtime.installation().uid
    await runtime.stop()
    await runtime.start(hive)
    assert (runtime.node(), runtime.installation().uid) == (node, uid)
    await runtime.stop()
    moved = factories.make_settings(tmp_path / "moved")
    hive.paths.data_dir.rename(moved.paths.data_dir)
    await runtime.start(moved)
    assert (runtime.node(), runtime.installation().uid) == (node, uid)


# sessions of a dead server


async def open_rows(info: RepositoryInfo, nodes: list[str]) -> None:
    for node in nodes:
        admission = await ask_for(info)
        await Session.filter(id=admission.session_id).update(node=node)


async def test_a_start_closes_all_open_sessions_whatever_the_host_was_called(
    documents: RepositoryInfo,
) -> None:
    await open_rows(documents, ["container-1"] * 7 + [runtime.node()])
    with pytest.raises(AccessRefused, match="Too many sessions: 8"):
        await ask_for(documents)
    await recovery.recover_from_crash()
    assert not await Session.filter(ended_at=None).exists()
    assert {row.end_reason for row in await Session.all()} == {EndReason.INTERRUPTED}
    await ask_for(documents)
