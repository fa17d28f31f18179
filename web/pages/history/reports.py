"""What clients reported of a repository, and the tokens that they report with."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from hive.kinds import Level
from hive.off_loop import off_loop
from hive.services import runtime
from hive.services.permissions import Actor
from hive.services.reports import reports, tokens
from hive.services.reports.tokens import NewPingToken
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from web import csv_file, csv_tables
from web.access import actor_of
from web.forms import Form, before, cut_page, id_of, query, sent
from web.rendering import done, lines, page
from web.setup_guides import reports as report_setup
from web.text.i18n import gettext

_ROWS = 25
_MAX_LOG = 200_000  # characters on a page; the end says what came of it


async def show_all(request: web.Request) -> web.StreamResponse:
    actor, cursor = actor_of(request), before(request, "before")
    info = await catalogue.find_current(actor, id_of(request))
    find = partial(reports.list_runs, actor, repository_id=info.id)
    if csv_file.is_wanted(request):
        fetched = csv_file.pages(lambda last: find(limit=csv_file.PAGE, before_id=last))
        return await csv_file.answer(request, csv_tables.REPORTS, fetched)
    rows = await find(limit=_ROWS + 1, before_id=cursor)
    shown, older = cut_page(rows, _ROWS)
    here = f"/repositories/{info.id}/reports"
    return page(
        request,
        "history/reports.html",
        repository=info,
        reports=shown,
        tokens=await tokens.list_tokens(actor, info.id),
        may_manage=await _may_manage(actor, info.id),
        newest=here if cursor is not None else None,
        older=query(here, before=older) if older is not None else None,
    )


async def _may_manage(actor: Actor, repository_id: int) -> bool:
    return await catalogue.level(actor, repository_id) >= Level.MANAGE


async def show(request: web.Request) -> web.Response:
    report = await reports.get_run(actor_of(request), id_of(request))
    return page(
        request,
        "history/report.html",
        report=report,
        log=await off_loop(lines, report.log[-_MAX_LOG:]),
        is_cut_here=len(report.log) > _MAX_LOG,
        sessions=report.notes.session_ids,
    )


async def show_add_token(request: web.Request) -> web.Response:
    info = await catalogue.find_changeable(actor_of(request), id_of(request))
    return page(request, "history/ping_token_add.html", repository=info, form=Form({}))


async def add_token(request: web.Request) -> web.Response:
    """Answers with the address at once: nothing that is kept, a message either, may hold it."""
    actor = actor_of(request)
    info = await catalogue.find_changeable(actor, id_of(request))
    form = await sent(request)
    with form.asking():
        new = await tokens.add_token(actor, info.id, form.text("name"))
        return _new_token_page(request, info, new)
    return page(
        request, "history/ping_token_add.html", status=form.status, repository=info, form=form
    )


def _new_token_page(request: web.Request, info: RepositoryInfo, new: NewPingToken) -> web.Response:
    return page(
        request,
        "history/ping_token_new.html",
        repository=info,
        token=new.info,
        url=new.url,
        clients=report_setup.ways(new, info),
        has_public_url=runtime.public_url() is not None,
        is_in_clear=new.url.startswith("http:"),
    )


async def show_delete_token(request: web.Request) -> web.Response:
    actor = actor_of(request)
    token = await tokens.get_token(actor, id_of(request))
    info = await catalogue.find_changeable(actor, token.repository_id)
    return page(request, "history/ping_token_delete.html", token=token, repository=info)


async def delete_token(request: web.Request) -> web.Response:
    token = await tokens.delete_token_by_id(actor_of(request), id_of(request))
    message = gettext("The ping token %(name)s was revoked: it reports no more.", name=token.name)
    return done(request, f"/repositories/{token.repository_id}/reports", message)
