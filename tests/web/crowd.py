"""33 repositories with much trouble at once, as their rows would be: for tests of the overview."""

from __future__ import annotations

from datetime import timedelta

from hive import clock
from hive.kinds import ArchiveCreated, EventKind, Health, Role, ScheduleKind
from hive.models import BackupDay, Repository, RepositoryTag, User
from hive.sentences import Size, say
from hive.services.alarms import alarms
from hive.services.health import days
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from tests.web.rows import RUNNING, add_session
from tests.web.scene import user

COUNT = 33
NAMES = (
    *("nas-photos", "documents", "server-web", "db-postgres-main", "carla-macbook"),
    *("homeassistant", "prometheus", "datev-export", "db-mysql-crm", "fatima-surface"),
    *("git-mirror", "grafana", "k8s-etcd", "kunden-2024", "laptop-anna", "nas-documents"),
    *("paperless", "server-mail", "ben-thinkpad", "photos", "design-archive", "dmitri-desktop"),
    *("jenkins", "lohn", "db-postgres-replica", "buchhaltung", "minecraft", "build-cache"),
    *("emre-laptop", "pi-hole", "test-vm", "vault", "fotos-2019"),
)
_OWNERS = ("anna", "alice", "dmitri", "fatima")
_TAGS = (("home", "nas"), ("server",), ("laptop", "office"), ())
_HEALTH = (
    *[Health.FINE] * 2,
    *[Health.DOWN] * 2,
    *[Health.LATE] * 14,
    *[Health.FINE] * 7,
    *[Health.UNWATCHED] * 3,
    *[Health.NEW] * 4,
    Health.PAUSED,
)
_HOURS_AGO = {Health.DOWN: 60, Health.LATE: 27, Health.FINE: 4, Health.UNWATCHED: 9}
_DAY = timedelta(days=1)


async def make_crowd() -> None:
    """Users root, anna, alice, dmitri and fatima, and what they back up."""
    await user("root", role=Role.ADMINISTRATOR)
    for name in _OWNERS:
        await user(name)
    await User.all().update(timezone="UTC")
    ids = [await _repository(number) for number in range(COUNT)]
    await alarms.happened(
        ids[0],
        EventKind.APPEND_ONLY_DELETION,
        say(
            "An append-only key deleted %(percent)s %% (%(lost)s).",
            percent=91,
            lost=Size(1_280_000_000_000),
        ),
        lost_percent=91.0,
    )
    await alarms.happened(ids[1], EventKind.INTEGRITY_ERROR, say("Segment 7 is damaged."))
    await alarms.begin(ids[20], EventKind.QUOTA_FILLING, say("The quota is 93 % full."))
    await alarms.begin(ids[21], EventKind.STALE_LOCK, say("There is an old lock."))
    for one in ids[18:20]:
        await add_session(one, minutes_ago=9, **RUNNING)


async def _repository(number: int) -> int:
    made = await catalogue.add_repository(
        OPERATOR, NAMES[number], owner=_OWNERS[number % 4], quota_bytes=10**12
    )
    health, now = _HEALTH[number], clock.now()
    hours = _HOURS_AGO.get(health)
    last = None if hours is None else now - timedelta(hours=hours, minutes=number)
    watched = health != Health.UNWATCHED
    await Repository.filter(id=made.id).update(
        health=health,
        health_since=now - timedelta(hours=2),
        schedule_kind=ScheduleKind.INTERVAL if watched else ScheduleKind.NONE,
        schedule_seconds=86_400 if watched else None,
        last_backup_at=last,
        due_at=None if last is None or not watched else last + _DAY,
        paused_until=now + 20 * _DAY if health == Health.PAUSED else None,
        size_bytes=None if health == Health.NEW else (number + 1) * 17 * 10**9,
        quota_bytes=10**12 if number % 3 else None,
        created_at=now - timedelta(days=2 if health == Health.NEW else 60),
        look_at=None,
        initialized_at=last,
    )
    for tag in _TAGS[number % 4]:
        await RepositoryTag.create(repository_id=made.id, tag=tag)
    if last is not None:
        await add_session(
            made.id,
            minutes_ago=(now - last) / timedelta(minutes=1),
            archive_created=ArchiveCreated.YES,
        )
        await BackupDay.bulk_create(
            [_day(made.id, number, back) for back in range((now - last).days, 40)]
        )
    return made.id


def _day(repository_id: int, number: int, back: int) -> BackupDay:
    day, bit = days.slot_of(clock.now() - back * _DAY)
    kind = (number * 7 + back * 13) % 29
    return BackupDay(
        repository_id=repository_id,
        day=day,
        made=0 if kind in (0, 1) else bit,
        late=bit if kind == 2 else 0,
        due=bit if kind == 0 else 0,
        failed=bit if kind == 1 else 0,
    )
