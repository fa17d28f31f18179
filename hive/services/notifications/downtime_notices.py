"""One message on a downtime of the server, in place of an alarm for each repository."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hive import clock, formats
from hive.database import transactional
from hive.errors import InvalidInput
from hive.kinds import Health, ScheduleKind, Severity
from hive.models import Repository
from hive.schedule import Downtimes, fell_into
from hive.services.health import review
from hive.services.outbox import audiences, downtimes, outbox, texts
from hive.services.outbox.downtimes import Span
from hive.services.outbox.kinds import DOWNTIME, Matter
from hive.services.outbox.outbox import Notice
from hive.services.outbox.routing import Person

_MOST = 50  # repositories that are named


async def tell(span: Span) -> int:
    """Notify the people of the repositories that were due meanwhile; how many are."""
    rows = await Repository.filter(deleted_at=None).exclude(schedule_kind=ScheduleKind.NONE)
    rows = [row for row in rows if row.health not in (Health.DOWN, Health.PAUSED)]
    spans = await downtimes.spans()
    missed = await asyncio.to_thread(_missed, rows, spans, span)
    people = await audiences.of_repositories({row.id: row.owner_id for row in missed})
    lists: dict[int, tuple[Person, list[str]]] = {}
    for row in missed:
        audience = people[row.id]
        for person in (*audience.people, *audience.administrators):
            lists.setdefault(person.id, (person, []))[1].append(row.name)
    for person, names in lists.values():
        await _write(person, span, names)
    return len(lists)


def _missed(rows: Sequence[Repository], spans: Downtimes, span: Span) -> list[Repository]:
    found = []
    for row in rows:
        try:
            schedule = review.schedule_of(row)
        except InvalidInput:
            continue  # the review says so
        record = review.record_of(row, spans)
        if fell_into(schedule, record, span.begun_at, span.ended_at):
            found.append(row)
    return sorted(found, key=lambda row: row.name)


@transactional
async def _write(person: Person, span: Span, names: Sequence[str]) -> None:
    begun, ended = formats.moment(span.begun_at), formats.moment(span.ended_at)
    count = "1 backup was" if len(names) == 1 else f"{len(names)} backups were"
    title = f"Borg Hive was off for {formats.span(span.ended_at - span.begun_at)}: {count} due"
    shown = ", ".join(names[:_MOST])
    if len(names) > _MOST:
        shown += f" and {len(names) - _MOST} more"
    lines = [
        f"The server was off from {begun} to {ended}. Meanwhile {count} due: {shown}.",
        "",
        "They count as missing only if the next one does not come either.",
    ]
    key = f"downtime:{clock.rfc3339(span.ended_at)}"
    matter = Matter(DOWNTIME, Severity.WARNING)
    notice = Notice(key, matter, texts.one_line(title), texts.whole_text(lines))
    await outbox.tell([person], notice)
