"""Digests: how everything is, once a day or week; also when all is well: silence proves nothing.

A digest is a notification under the key of its day, so that none is written twice, and one that a
downtime swallowed is written when the server is back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from tortoise.functions import Count

from hive import clock
from hive.database import transactional
from hive.kinds import Digest, Role, Severity, Source, State
from hive.models import Event, Notification, Preference, Repository, User
from hive.sentences import Sentence, Size, ago, join, say
from hive.services import runtime
from hive.services.clock import last_backups
from hive.services.health import infos as health_info
from hive.services.health import review as health
from hive.services.health.infos import HealthInfo
from hive.services.outbox import outbox, recipients
from hive.services.outbox.kinds import DIGEST, FAILURES, Matter
from hive.services.outbox.outbox import Notice
from hive.services.outbox.routing import Person, fallback
from hive.services.permissions import Actor, visible_repositories
from hive.services.storage import sizes

_SPANS = {Digest.DAILY: timedelta(days=1), Digest.WEEKLY: timedelta(weeks=1)}
_LATEST = {Digest.DAILY: timedelta(hours=20), Digest.WEEKLY: timedelta(days=3)}
_ORDER = (  # of the lines; counts come in the order of the states
    *(State.CRITICAL, State.UNKNOWN, State.DOWN, State.LATE, State.UNWATCHED),
    *(State.NEW, State.PAUSED, State.FINE),
)
_HEADS = {
    State.CRITICAL: say("CRITICAL"),
    State.UNKNOWN: say("UNKNOWN"),
    State.DOWN: say("DOWN"),
    State.LATE: say("LATE"),
    State.UNWATCHED: say("NOT WATCHED"),
    State.NEW: say("NEW"),
    State.PAUSED: say("PAUSED"),
    State.FINE: say("FINE"),
}
_MOST = 200  # repositories that are named


@dataclass(frozen=True)
class _Line:
    repository: Repository
    health: HealthInfo
    change_bytes: int | None
    failures: int


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
    lines = await _lines(person, now - _SPANS[digest])
    if not lines:
        return 0  # who has no repositories has nothing to read
    title, text = _compose(lines, digest, now)
    notice = Notice(key, Matter(DIGEST, Severity.INFO), title, text, {"url": runtime.public_url()})

    @transactional
    async def write() -> int:
        return await outbox.tell([person], notice)

    return await write()


async def _lines(person: Person, since: datetime) -> list[_Line]:
    """What a digest says about each repository of one person; a few queries in all."""
    actor = Actor(person.id, person.name, role=Role.MEMBER, source=Source.SYSTEM)
    visible = Repository.filter(await visible_repositories(actor), deleted_at=None)
    if await recipients.not_told_of_shared([person.id]):
        visible = visible.filter(owner_id=person.id)
    rows = {row.id: row for row in await visible.distinct()}
    ids = list(rows)
    if not ids:
        return []
    infos = await health_info.health_infos(actor, ids)
    changes = await sizes.changes(ids, since)
    failed = await _counts(ids, since)
    lines = [
        _Line(
            row,
            infos[row.id],
            changes.get(row.id),
            failed.get(row.id, 0),
        )
        for row in rows.values()
    ]
    return sorted(lines, key=lambda line: (_ORDER.index(line.health.state), line.repository.name))


async def _counts(ids: Sequence[int], since: datetime) -> dict[int, int]:
    rows = (
        await Event.filter(repository_id__in=ids, at__gte=since, kind__in=FAILURES)
        .annotate(count=Count("id"))
        .group_by("repository_id")
        .values("repository_id", "count")
    )
    return {row["repository_id"]: row["count"] for row in rows}


def _compose(lines: Sequence[_Line], digest: Digest, now: datetime) -> tuple[str, list[str]]:
    counts = {state: sum(line.health.state == state for line in lines) for state in State}
    counted = join(
        *(
            say("%(count)s %(state)s", count=count, state=_word(state))
            for state, count in counts.items()
            if count
        ),
        by=", ",
    )
    title = (
        say("Borg Hive, the last day: %(counts)s", counts=counted)
        if digest == Digest.DAILY
        else say("Borg Hive, the last week: %(counts)s", counts=counted)
    )
    body = [_in_words(line, now) for line in lines[:_MOST]]
    if len(lines) > _MOST:
        body.append(say("... and %(count)s more.", count=len(lines) - _MOST))
    url = runtime.public_url()
    return title, [join(counted, ".", by=""), "", *body, *(["", url] if url else [])]


def _word(state: State) -> Sentence:
    return say("not watched") if state == State.UNWATCHED else Sentence(str(state))


def _in_words(line: _Line, now: datetime) -> str:
    at = last_backups.known(line.repository)
    last: str = say("never backed up")
    if at is not None:
        last = (
            say("last backup %(ago)s", ago=ago(now - at))
            if now - at >= timedelta(minutes=1)
            else say("last backup just now")
        )
    parts = [*filter(None, [line.health.reason]), last]
    if line.repository.size_bytes is not None:
        parts.append(say("%(size)s", size=Size(line.repository.size_bytes)))
    if line.change_bytes:
        sign = "+" if line.change_bytes > 0 else "-"
        parts.append(say("%(sign)s%(size)s", sign=sign, size=Size(abs(line.change_bytes))))
    if line.failures:
        parts.append(
            say("1 problem")
            if line.failures == 1
            else say("%(count)s problems", count=line.failures)
        )
    return say(
        "%(state)s  %(repository)s: %(details)s",
        state=_HEADS[line.health.state],
        repository=line.repository.name,
        details=join(*parts, by=", "),
    )
