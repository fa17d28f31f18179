"""Digests, the heartbeat, and what sessions and refusals tell."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from hive import clock
from hive.borg.failure import is_worth_telling
from hive.config.settings import HeartbeatSettings, Settings
from hive.errors import RefusalCause
from hive.kinds import Digest, EndReason, Health, Operation
from hive.models import Notification, Preference, Repository, User
from hive.notify.channel import Means
from hive.services import runtime
from hive.services.alarms import alarms
from hive.services.gate import refusals
from hive.services.health import review, schedules
from hive.services.health.schedules import ScheduleChange
from hive.services.keys import keys
from hive.services.keys.keys import ChangeKey
from hive.services.notifications import digests, preferences
from hive.services.outbox.routing import Person
from hive.services.server import heartbeat
from tests import factories
from tests.another_process import started
from tests.factories import People
from tests.notify.far_end import FarEnd
from tests.services.notifications.support import NOON, at, told_to, webhook

URL = "https://example.org/hook"


@pytest.fixture
async def people(people: People) -> People:
    """They have been here for long: who is new has missed no digest."""
    await User.all().update(created_at=NOON - timedelta(days=100))
    return people


async def test_a_weekly_digest_comes_at_its_hour_in_its_zone_once(people: People) -> None:
    await webhook(people.alice, URL)
    await User.filter(id=people.alice.user_id).update(timezone="America/New_York")
    made = await factories.make_repository(people.alice)
    await factories.make_repository(people.alice, name="other")
    await Repository.filter(id=made.id).update(
        health=Health.DOWN, last_backup_at=NOON - timedelta(days=9), size_bytes=5_000_000
    )
    at(NOON.replace(hour=11, minute=59))  # a Monday, 06:59 in New York
    assert await digests.write_due() == 0
    at(NOON)
    assert await digests.write_due() == 1
    at(NOON.replace(hour=15))
    assert await digests.write_due() == 0
    at(NOON + timedelta(days=1))
    assert await digests.write_due() == 0
    (row,) = await Notification.all()
    assert row.title == "Borg Hive, the last week: 1 down, 1 not watched"
    assert "DOWN  documents: last backup 9 days ago, 5.00 MB" in row.text
    assert "NOT WATCHED  other: never backed up" in row.text
    at(NOON + timedelta(days=7))
    assert await digests.write_due() == 1


async def test_a_digest_counts_each_repository_in_its_worst_state(people: People) -> None:
    await webhook(people.alice, URL)
    made = {}
    for name in ("damaged", "good", "gone"):
        made[name] = (await factories.make_repository(people.alice, name=name)).id
    rows = Repository.filter(id__in=list(made.values()))
    await rows.update(health=Health.FINE, last_backup_at=NOON - timedelta(hours=1))
    await Repository.filter(id=made["gone"]).update(health=Health.DOWN)
    await alarms.integrity_error(made["damaged"], "A check found the repository damaged.")
    at(NOON)
    assert await digests.write_due() == 1
    row = await Notification.filter(kind="digest").get()
    assert row.title == "Borg Hive, the last week: 1 critical, 1 down, 1 fine"
    assert "CRITICAL  damaged: Damaged, last backup" in row.text
    lines = [line.partition("  ")[0] for line in row.text.splitlines() if "  " in line]
    assert lines == ["CRITICAL", "DOWN", "FINE"]


async def test_a_daily_digest_comes_every_day_and_none_to_who_wants_none(people: People) -> None:
    for actor in (people.alice, people.bob):
        await webhook(actor, URL)
        await factories.make_repository(actor, name=actor.name)
    await preferences.change(people.alice, "alice", digest=Digest.DAILY)
    await preferences.change(people.bob, "bob", digest=Digest.NONE)
    for day in range(3):
        at(NOON + timedelta(days=day))
        await digests.write_due()
    assert await told_to(people.alice) == ["digest"] * 3
    assert await told_to(people.bob) == []
    assert await told_to(people.charlie) == []  # has nothing to be told of


async def test_a_digest_that_a_downtime_swallowed_comes_late_unless_the_next_one_is_near(
    people: People,
) -> None:
    await webhook(people.alice, URL)
    await factories.make_repository(people.alice)
    at(NOON + timedelta(days=2))
    assert await digests.write_due() == 1
    (row,) = await Notification.all()
    assert row.key == "digest:2026-03-02"
    at(NOON + timedelta(days=7 + 4))
    assert await digests.write_due() == 0


async def test_who_is_new_gets_no_digest_of_a_time_before_them(people: People) -> None:
    await webhook(people.alice, URL)
    await factories.make_repository(people.alice)
    await User.all().update(created_at=NOON)
    at(NOON + timedelta(hours=1))
    assert await digests.write_due() == 0
    at(NOON + timedelta(days=7))
    assert await digests.write_due() == 1


@pytest.mark.parametrize(
    ("day", "due"),
    [
        ("2026-03-27T12:00+01:00", "2026-03-27T02:00+01:00"),
        # the clocks go forward and leave out this hour: the first moment after it
        ("2026-03-29T12:00+02:00", "2026-03-29T03:00+02:00"),
        ("2026-10-25T12:00+01:00", "2026-10-25T02:00+02:00"),
    ],
)
def test_a_day_without_its_hour_has_a_digest_all_the_same(day: str, due: str) -> None:
    alice = Person(id=1, name="alice", timezone=ZoneInfo("Europe/Berlin"), own_mail=None)
    wish = Preference(digest=Digest.DAILY, digest_hour=2)
    assert digests.due_at(alice, wish, datetime.fromisoformat(day)) == datetime.fromisoformat(due)


async def test_the_doctor_sees_a_heartbeat_that_fails_or_has_stopped(
    hive: Settings, server: FarEnd, means: Means, monkeypatch: pytest.MonkeyPatch
) -> None:
    beating = HeartbeatSettings(url=SecretStr(f"{server.url}/ping/secret"))
    settings = hive.model_copy(update={"heartbeat": beating})
    monkeypatch.setattr(started(), "settings", settings)

    async def well() -> list[str]:
        return []

    def level() -> str:
        (finding,) = heartbeat.findings()
        assert "secret" not in repr(finding)
        return finding.level

    at(NOON)
    assert level() == "warning"  # none yet
    await heartbeat.beat(beating, well, means.outgoing)
    assert level() == "ok"
    at(NOON + timedelta(hours=1))
    assert level() == "warning"  # it stopped
    server.answers(500)
    await heartbeat.beat(beating, well, means.outgoing)
    assert level() == "warning"
    # what cannot be kept for doctor is sent all the same
    server.answers(200)
    kept = hive.paths.run / "heartbeat.json"
    kept.unlink()
    kept.mkdir()
    sent = await heartbeat.beat(beating, well, means.outgoing)
    assert sent is not None
    assert sent.problem is None


async def test_the_heartbeat_is_sent_only_while_the_server_is_well(
    hive: Settings, server: FarEnd, means: Means
) -> None:
    settings = HeartbeatSettings(url=SecretStr(f"{server.url}/ping/secret"))

    async def well() -> list[str]:
        return []

    async def ill() -> list[str]:
        return ["scheduler"]

    sent = await heartbeat.beat(settings, well, means.outgoing)
    assert sent is not None
    assert sent.problem is None
    assert server.only.path == "/ping/secret"
    kept = await heartbeat.beat(settings, ill, means.outgoing)
    assert kept is not None
    assert "scheduler" in (kept.problem or "")
    assert len(server.received) == 1
    server.answers(500)
    failed = await heartbeat.beat(settings, well, means.outgoing)
    assert failed is not None
    assert "500" in (failed.problem or "")


async def test_many_refusals_are_told_once_until_an_hour_was_quiet(people: People) -> None:
    await webhook(people.alice, URL)
    made = await factories.make_repository(people.alice)
    at(NOON)
    for number in range(30):
        at(NOON + timedelta(seconds=10 * number))
        await refusals.record(made.id, RefusalCause.UNKNOWN_KEY, "An unknown key.")
    assert await told_to(people.alice) == ["many refusals"]
    assert await refusals.end_quiet() == 0
    at(clock.now() + timedelta(hours=1, seconds=1))
    assert await refusals.end_quiet() == 1
    assert await told_to(people.alice) == ["many refusals", "alarm ended"]


@pytest.mark.parametrize(
    ("end_reason", "operation", "is_told"),
    [
        (EndReason.QUOTA, Operation.CREATE, True),
        (EndReason.DISK_FULL, Operation.NOTHING, True),
        (EndReason.BORG_ERROR, Operation.CREATE, True),
        (EndReason.BORG_ERROR, Operation.NOTHING, False),
        (EndReason.FAILED, Operation.WRITE, True),
        (EndReason.FAILED, Operation.READ, False),
        (EndReason.CLIENT_GONE, Operation.CREATE, False),
        (EndReason.REFUSED, Operation.CREATE, False),
        (EndReason.DONE, Operation.CREATE, False),
        (None, None, False),
    ],
)
def test_a_failed_session_is_told_where_it_was_at_work(
    end_reason: EndReason | None, operation: Operation | None, is_told: bool
) -> None:
    assert is_worth_telling(end_reason, operation) == is_told


async def test_a_digest_counts_backups_made_of_those_expected_and_names_what_is_not_watched(
    people: People,
) -> None:
    at(NOON - timedelta(days=30))
    await webhook(people.alice, URL)
    made = await factories.make_repository(people.alice)
    await schedules.watch(people.alice, made.id)
    lonely = await factories.make_repository(people.alice, name="lonely")
    await schedules.set_schedule(people.alice, lonely.id, ScheduleChange(no_schedule=True))
    for ago in (6, 5, 3, 2, 1, 0):  # one was left out
        at(NOON - timedelta(days=ago, hours=1))
        await review.note_backup(made.id, clock.now())
    at(NOON)
    await digests.write_due()
    row = await Notification.filter(kind="digest").get()
    assert "6 of 7 backups" in row.text
    assert "6 of 7 backups were made." in row.text
    assert "Nobody watches lonely" in row.text
    first = row.details["repositories"][0]
    assert first["name"] == "lonely"
    [sheet] = [one for one in (row.layout or {})["blocks"] if "head" in one]
    assert sheet["head"][:3] == ["State", "Repository", "Backups"]
    assert [one["cells"][:3] for one in sheet["rows"]] == [
        ["NOT WATCHED", "lonely", ""],
        ["FINE", "documents", "6 of 7"],
    ]


async def test_an_administrator_reads_of_all_repositories_of_disks_and_of_keys(
    people: People,
) -> None:
    await webhook(people.admin, URL)
    made = await factories.make_repository(people.alice)
    key = await factories.make_key(people.alice)
    await keys.change_key(people.alice, key.id, ChangeKey(expires_at=NOON + timedelta(days=9)))
    at(NOON)
    await digests.write_due()
    row = await Notification.filter(kind="digest", user_id=people.admin.user_id).get()
    assert f"{made.name}: " in row.text
    assert "Disks:" in row.text
    assert f"{key.name} of alice expires on" in row.text
    assert row.details["keys"][0]["name"] == key.name
    await preferences.change(people.admin, "admin", is_told_of_critical=False)
    at(NOON + timedelta(days=7))
    await digests.write_due()
    digest = Notification.filter(kind="digest", user_id=people.admin.user_id)
    assert await digest.count() == 1  # has no repositories of their own


async def test_without_the_address_of_the_pages_a_digest_says_where_to_look(
    people: People,
) -> None:
    await webhook(people.alice, URL)
    await factories.make_repository(people.alice)
    at(NOON + timedelta(days=2))
    assert await digests.write_due() == 1
    (row,) = await Notification.all()
    assert "the pages of Borg Hive on the server" in row.text
    runtime.store_public_url("https://hive.example.org")
    at(NOON + timedelta(days=9))
    assert await digests.write_due() == 1
    newest = await Notification.all().order_by("-id").first()
    assert newest is not None
    assert "on the server" not in newest.text
