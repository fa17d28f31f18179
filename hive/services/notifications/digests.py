"""Digests: how everything is, once a day or week; also when all is well: silence proves nothing.

A digest is a notification under the key of its day, so that none is written twice, and one that a
downtime swallowed is written when the server is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta

from tortoise.functions import Count

from hive import clock
from hive.database import transactional
from hive.kinds import Digest, Role, ScheduleKind, Severity, Source
from hive.models import Event, Key, Location, Notification, Preference, Repository, User
from hive.schedule import Schedule
from hive.services import runtime
from hive.services.clock import last_backups
from hive.services.health import days
from hive.services.health import infos as health_info
from hive.services.health import review as health
from hive.services.health.infos import HealthInfo
from hive.services.notifications import digest_texts
from hive.services.notifications.digest_texts import DigestFacts, DigestLine, ExpiringKey
from hive.services.outbox import outbox, recipients, texts
from hive.services.outbox.expiries import WARN_BEFORE
from hive.services.outbox.kinds import DIGEST, FAILURES, Matter
from hive.services.outbox.outbox import Notice
from hive.services.outbox.routing import Person, fallback
from hive.services.permissions import Actor, visible_repositories
from hive.services.storage import disks, sizes
from hive.services.storage.disks import DiskInfo

_MOST_TICKS = 1000  # of one schedule
_SPANS = {Digest.DAILY: timedelta(days=1), Digest.WEEKLY: timedelta(weeks=1)}
_LATEST = {Digest.DAILY: timedelta(hours=20), Digest.WEEKLY: timedelta(days=3)}


async def write_due() -> int:
    """Write the digests whose hour has come; how many there are."""
    await health.review_due()  # what a digest says of health is to be true
    now, written = clock.now(), 0
    wishes = {row.user_id: row for row in await Preference.all()}
    silent = await recipients.silent_auditors()
    users = {user.id: user for user in await User.filter(enabled=True) if user.id not in silent}
    for person in await recipients.load(users):
        wish = wishes.get(person.id) or Preference()
        due = due_at(person, wish, now)
        # who came later has missed none
        if due is None or due < users[person.id].created_at:
            continue
        if person.rules or fallback(person):
            day = due.astimezone(person.timezone).date().isoformat()
            written += await _write(person, wish.digest, f"{DIGEST}:{day}", now)
    return written


def due_at(person: Person, wish: Preference, now: datetime) -> datetime | None:
    """When the digest was due that may be written by now; None where none may.

    One that a downtime swallowed is written late, but not when the next one is near.
    """
    if wish.digest == Digest.NONE:
        return None
    late = _LATEST[wish.digest]
    local = now.astimezone(person.timezone)
    for days_ago in range(late.days + 2):
        day = local.date() - timedelta(days=days_ago)
        if wish.digest == Digest.WEEKLY and day.weekday() != wish.digest_weekday:
            continue
        hour = datetime.combine(day, time(wish.digest_hour), tzinfo=person.timezone)
        due = hour.astimezone(UTC)
        if timedelta(0) <= now - due < late:
            return due
    return None


async def _write(person: Person, digest: Digest, key: str, now: datetime) -> int:
    if await Notification.filter(user_id=person.id, key=key).exists():
        return 0
    is_admin = person.is_told_of_critical and person.id in await recipients.administrators()
    role = Role.ADMINISTRATOR if is_admin else Role.MEMBER  # only what they see counts here
    actor = Actor(person.id, person.name, role=role, source=Source.SYSTEM)
    lines = await _lines(actor, now - _SPANS[digest], now)
    if not lines:
        return 0  # who has no repositories has nothing to read
    found = DigestFacts(
        lines=lines,
        disks=await _disks() if is_admin else (),
        keys=await _keys(actor, now),
        now=now,
    )
    url = runtime.public_url()
    where = [] if url is not None else [texts.where_to_look(runtime.host_name())]
    notice = Notice(
        key,
        Matter(DIGEST, Severity.INFO),
        digest_texts.title(found, digest),
        details=digest_texts.document(found) | {"url": url},
        blocks=[*digest_texts.blocks(found), *where],
    )

    @transactional
    async def write() -> int:
        return await outbox.tell([person], notice)

    return await write()


async def _lines(actor: Actor, since: datetime, now: datetime) -> list[DigestLine]:
    """What a digest says about each repository of one person; a few queries in all."""
    visible = Repository.filter(await visible_repositories(actor), deleted_at=None)
    if not actor.is_admin and await recipients.not_told_of_shared([actor.user_id or 0]):
        visible = visible.filter(owner_id=actor.user_id)
    rows = {row.id: row for row in await visible.distinct()}
    ids = list(rows)
    if not ids:
        return []
    infos = await health_info.health_infos(actor, ids)
    changes = await sizes.changes(ids, since)
    failed = await _counts(ids, since)
    made = await days.made_of(ids, since)
    expected = await asyncio.to_thread(_expected, list(rows.values()), infos, since, now)
    return sorted(
        (
            DigestLine(
                repository=row.name,
                repository_id=row.id,
                health=infos[row.id],
                last_backup_at=last_backups.known(row),
                size_bytes=row.size_bytes,
                change_bytes=changes.get(row.id),
                made=sum(since < at <= now for at in made.get(row.id, ())),
                expected=expected.get(row.id),
                problems=failed.get(row.id, 0),
            )
            for row in rows.values()
        ),
        key=digest_texts.weight,
    )


def _expected(
    rows: Sequence[Repository],
    infos: Mapping[int, HealthInfo],
    since: datetime,
    now: datetime,
) -> dict[int, int]:
    """How many backups each schedule wanted since then; nothing of one that is not known."""
    found = {}
    for row in rows:
        schedule = infos[row.id].schedule.schedule
        if schedule is None or schedule.kind == ScheduleKind.NONE:
            continue
        begun_at = max(filter(None, (since, row.created_at, row.paused_until)))
        found[row.id] = _ticks(schedule, begun_at, now)
    return found


def _ticks(schedule: Schedule, since: datetime, now: datetime) -> int:
    if schedule.interval is not None:
        return max((now - since) // schedule.interval, 0)
    count, at = 0, schedule.due_after(since)
    while at is not None and at <= now and count < _MOST_TICKS:
        count, at = count + 1, schedule.due_after(at)
    return count


async def _disks() -> tuple[DiskInfo, ...]:
    ids = [row.id for row in await Location.all().only("id")]
    return tuple(await disks.disks(ids))


async def _keys(actor: Actor, now: datetime) -> tuple[ExpiringKey, ...]:
    """The keys that expire soon: one's own, for an administrator all."""
    keys = Key.filter(enabled=True, expires_at__gt=now, expires_at__lte=now + WARN_BEFORE[0])
    if not actor.is_admin:
        keys = keys.filter(owner_id=actor.user_id)
    return tuple(
        ExpiringKey(row.name, row.owner.name, row.expires_at)
        for row in await keys.order_by("expires_at").select_related("owner")
        if row.expires_at is not None
    )


async def _counts(ids: Sequence[int], since: datetime) -> dict[int, int]:
    rows = (
        await Event.filter(repository_id__in=ids, at__gte=since, kind__in=FAILURES)
        .annotate(count=Count("id"))
        .group_by("repository_id")
        .values("repository_id", "count")
    )
    return {row["repository_id"]: row["count"] for row in rows}
