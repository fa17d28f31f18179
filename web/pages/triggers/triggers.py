"""The triggers of a repository, one of them with its runs, and one run."""

from __future__ import annotations

from aiohttp import web

from hive.errors import Conflict
from hive.kinds import Level
from hive.services import triggers
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from hive.services.triggers import ChangeTrigger, TriggerInfo
from web.access import actor_of
from web.forms import before, cut_page, id_of, query
from web.rendering import done, page
from web.text.i18n import gettext, sentence

_RUNS = 25


async def show_all(request: web.Request) -> web.Response:
    actor = actor_of(request)
    info = await catalogue.find_current(actor, id_of(request))
    return page(
        request,
        "triggers/triggers.html",
        repository=info,
        triggers=await triggers.list_triggers(actor, repository_id=info.id),
        may_manage=await _may_manage(actor, info.id),
    )


async def _may_manage(actor: Actor, repository_id: int) -> bool:
    return await catalogue.level(actor, repository_id) >= Level.MANAGE


async def show(request: web.Request) -> web.Response:
    actor, cursor = actor_of(request), before(request, "before")
    info = await triggers.get_trigger(actor, id_of(request))
    rows = await triggers.list_runs(actor, info.id, limit=_RUNS + 1, before_id=cursor)
    runs, older = cut_page(rows, _RUNS)
    here = path_of(info)
    return page(
        request,
        "triggers/trigger.html",
        trigger=info,
        runs=runs,
        may_manage=await _may_manage(actor, info.repository_id),
        newest=f"{here}#runs" if cursor is not None else None,
        older=f"{query(here, before=older)}#runs" if older is not None else None,
    )


def path_of(info: TriggerInfo) -> str:
    return f"/triggers/{info.id}"


async def show_run(request: web.Request) -> web.Response:
    actor = actor_of(request)
    run = await triggers.get_run(actor, id_of(request))
    info = await triggers.get_trigger(actor, run.trigger_id)
    return page(request, "triggers/trigger_run.html", run=run, trigger=info)


async def start(request: web.Request) -> web.Response:
    actor, trigger_id = actor_of(request), id_of(request)
    try:
        run = await triggers.start_now(actor, trigger_id)
    except Conflict as error:
        return done(request, f"/triggers/{trigger_id}", sentence(error.message), problem=True)
    message = gettext("%(name)s is called.", name=run.trigger)
    return done(request, f"/triggers/runs/{run.id}", message)


async def enable(request: web.Request) -> web.Response:
    info = await triggers.change_trigger(
        actor_of(request), id_of(request), ChangeTrigger(enabled=True)
    )
    return done(request, path_of(info), gettext("%(name)s is enabled.", name=info.name))


async def disable(request: web.Request) -> web.Response:
    info = await triggers.change_trigger(
        actor_of(request), id_of(request), ChangeTrigger(enabled=False)
    )
    return done(request, path_of(info), gettext("%(name)s is disabled.", name=info.name))


async def show_delete(request: web.Request) -> web.Response:
    actor = actor_of(request)
    info = await triggers.get_trigger(actor, id_of(request))
    await catalogue.require_manage(actor, info.repository_id)
    return page(request, "triggers/trigger_delete.html", trigger=info)


async def delete(request: web.Request) -> web.Response:
    info = await triggers.delete_trigger(actor_of(request), id_of(request))
    message = gettext("The trigger %(name)s was deleted.", name=info.name)
    return done(request, f"/repositories/{info.repository_id}/triggers", message)
