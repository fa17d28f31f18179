"""When backups are expected and by which words the repository is found; and being left alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from aiohttp import web

from hive import formats, units
from hive.errors import Conflict, InvalidInput
from hive.sentences import N_
from hive.services.accounts.users import UserInfo
from hive.services.health import infos as health_info
from hive.services.health import schedules
from hive.services.health.infos import HealthInfo
from hive.services.health.schedules import ScheduleChange
from hive.services.lifecycle import changing
from hive.services.lifecycle.changing import ChangeRepository
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from hive.services.sessions import small_backups
from hive.services.versions import Thing
from web import schedule_form, versioned
from web.access import actor_of, user_of
from web.forms import Form, id_of, internal_path, sent
from web.rendering import done, page
from web.text.i18n import gettext, sentence

_MOST = 50  # repositories that one button is about


async def show(request: web.Request) -> web.Response:
    info = await catalogue.find_changeable(actor_of(request), id_of(request))
    form = await versioned.opened(Thing.SCHEDULE, info.id, _stored, request, info.id)
    return page(request, "repositories/schedule.html", repository=info, form=form)


async def _stored(request: web.Request, repository_id: int) -> Form:
    found = await health_info.health_info(actor_of(request), repository_id)
    return _as_it_is(found, user_of(request))


def _as_it_is(info: HealthInfo, user: UserInfo) -> Form:
    schedule = info.schedule
    grace = None if schedule.has_default_grace else schedule.grace
    return Form(
        {
            **schedule_form.as_it_is(schedule, user),
            "grace": formats.format_duration(grace) if grace is not None else "",
            "tag": " ".join(info.tags),
        }
    )


async def submit(request: web.Request) -> web.Response:
    actor = actor_of(request)
    info = await catalogue.find_changeable(actor, id_of(request))
    form = await sent(request)
    change = _change(form)
    if form.is_fine:
        with form.asking():
            wanted = ChangeRepository(
                schedule=change,
                tags=form.text("tag").replace(",", " ").split(),
                version=versioned.seen(form, Thing.SCHEDULE),
            )
            await changing.change(actor, info.id, wanted)
            return done(request, f"/repositories/{info.id}", gettext("The schedule was changed."))
    await versioned.beside(form, Thing.SCHEDULE, info.id, _stored, request, info.id)
    return page(
        request, "repositories/schedule.html", status=form.status, repository=info, form=form
    )


def _change(form: Form) -> ScheduleChange:
    change = schedule_form.change_of(form)
    grace = form.read("grace", units.parse_duration)
    return replace(change, grace=grace, default_grace=grace is None)


async def watch(request: web.Request) -> web.Response:
    """Expect backups from now on, as often as proposed, else every day."""
    form = await sent(request)
    every = form.read("every", units.parse_duration)

    async def begin(actor: Actor, repository_id: int) -> None:
        await schedules.watch(actor, repository_id, every)

    return await _act(request, begin, N_("Backups are expected from now on."))


async def pause(request: web.Request) -> web.Response:
    return await _until(request, schedules.pause, N_("No backup is expected for a while."))


async def mute(request: web.Request) -> web.Response:
    return await _until(request, schedules.mute, N_("Missing backups are not reported."))


async def resume(request: web.Request) -> web.Response:
    return await _act(request, schedules.resume, N_("Backups are expected again."))


async def unmute(request: web.Request) -> web.Response:
    return await _act(request, schedules.unmute, N_("You are notified of missing backups again."))


async def acknowledge(request: web.Request) -> web.Response:
    return await _act(request, schedules.acknowledge, N_("There will be no more reminders."))


async def acknowledge_all(request: web.Request) -> web.Response:
    """The repositories of one line of the overview."""
    form = await sent(request)
    names = [name.removeprefix("repository-") for name in form.values]
    ids = [int(name) for name in names if name.isascii() and name.isdigit() and len(name) < 10]
    count = await schedules.acknowledge_all(actor_of(request), ids[:_MOST])
    if not count:
        return done(request, "/", gettext("Nothing is left to acknowledge."))
    return done(request, "/", gettext("There will be no more reminders."))


async def dismiss_small_backup(request: web.Request) -> web.Response:
    return await _act(request, small_backups.dismiss, N_("The small backup is dismissed."))


async def _until(
    request: web.Request,
    act: Callable[[Actor, int, datetime], Awaitable[None]],
    message: str,
) -> web.Response:
    """Act until the time of the form: a date, else a span from now."""
    form = await sent(request)
    until = form.when("until" if form.has("until") else "span")
    if until is None:
        form.complain(InvalidInput("Say when it ends.", field="until"))

    async def bounded(actor: Actor, repository_id: int) -> None:
        if until is None:
            raise InvalidInput(next(iter(form.problems.values())))
        await act(actor, repository_id, until)

    return await _act(request, bounded, message)


async def _act(
    request: web.Request, act: Callable[[Actor, int], Awaitable[None]], message: str
) -> web.Response:
    """Do it, and say on the repository's page what came of it."""
    actor, repository_id = actor_of(request), id_of(request)
    await catalogue.require_manage(actor, repository_id)
    back = (await sent(request)).text("back")
    here = internal_path(back) if back else f"/repositories/{repository_id}"
    try:
        await act(actor, repository_id)
    except (InvalidInput, Conflict) as error:
        return done(request, here, sentence(error.message), problem=True)
    return done(request, here, gettext(message))
