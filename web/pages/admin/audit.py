"""Who changed what."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from aiohttp import web

from hive.services import audit
from hive.services.audit import AuditFilter
from web import csv_file, csv_tables
from web.access import actor_of
from web.forms import before, cut_page, one_of, query
from web.rendering import page
from web.text.i18n import reader

_ROWS = 100
_MAX_NAME, _MAX_ACTION, _MAX_SUBJECT = 150, 60, 300  # as long as they are stored


async def show(request: web.Request) -> web.StreamResponse:
    actor, cursor = actor_of(request), before(request, "before")
    since = one_of(request, "since", date.fromisoformat)
    until = one_of(request, "until", date.fromisoformat)
    wanted = AuditFilter(
        actor=_text(request, "by", _MAX_NAME),
        action=_text(request, "action", _MAX_ACTION),
        subject=_text(request, "subject", _MAX_SUBJECT),
        since=None if since is None else _midnight(since),
        until=None if until is None else _midnight(until, later=timedelta(days=1)),
    )
    find = partial(audit.recent, actor, wanted)
    if csv_file.is_wanted(request):
        fetched = csv_file.pages(lambda last: find(limit=csv_file.PAGE, before_id=last))
        return await csv_file.answer(request, csv_tables.AUDIT, fetched)
    rows = await find(limit=_ROWS + 1, before_id=cursor)
    shown, older = cut_page(rows, _ROWS)
    filters = {
        "by": wanted.actor,
        "action": wanted.action,
        "subject": wanted.subject,
        "since": since,
        "until": until,
    }
    return page(
        request,
        "admin/audit.html",
        entries=shown,
        actions=await audit.actions(actor),
        filters=filters,
        is_filtered=any(filters.values()),
        newest=query("/admin/audit", **filters) if cursor is not None else None,
        older=query("/admin/audit", **filters, before=older) if older is not None else None,
    )


def _text(request: web.Request, name: str, longest: int) -> str | None:
    return request.query.get(name, "").strip()[:longest] or None


def _midnight(day: date, later: timedelta = timedelta(0)) -> datetime:
    """The day's first moment where the reader is."""
    start = datetime.combine(day, time(), tzinfo=reader().zone or UTC)
    try:
        return (start + later).astimezone(UTC)
    except OverflowError:
        return start.replace(tzinfo=UTC)
