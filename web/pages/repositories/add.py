"""Adding a repository, with its keys and shares."""

from __future__ import annotations

from aiohttp import web

from hive.kinds import Access, Mode
from hive.services.accounts import groups, users
from hive.services.health.schedules import ScheduleChange
from hive.services.keys import keys
from hive.services.repositories import creation
from hive.services.repositories.creation import CreateRepository
from hive.services.storage import locations
from web import schedule_form
from web.access import actor_of, user_of
from web.forms import Form, sent, share_levels
from web.rendering import done, page
from web.text.i18n import gettext


async def show(request: web.Request) -> web.Response:
    user = user_of(request)
    begun = {"owner": user.name, "mode": str(Mode.BORG), **schedule_form.preselected(user)}
    return await _page(request, Form(begun))


async def submit(request: web.Request) -> web.Response:
    actor = actor_of(request)
    form = await sent(request)
    quota = form.size("quota")
    mode = form.read("mode", Mode) or Mode.BORG
    is_watched = mode == Mode.BORG and form.has("kind")
    schedule = schedule_form.change_of(form) if is_watched else ScheduleChange()
    accesses = _accesses(form)
    levels = share_levels(form, [group.name for group in await groups.list_groups(actor)])
    if form.is_fine:
        with form.asking():
            wanted = CreateRepository(
                name=form.text("name"),
                owner=form.text("owner") if actor.is_admin else None,
                location=form.text("location") or None,
                mode=mode,
                quota_bytes=quota,
                key_accesses=accesses,
                share_levels={name: level for name, level in levels.items() if level},
                schedule=schedule,
            )
            info = await creation.create(actor, wanted)
            message = gettext("The repository %(name)s was added.", name=info.name)
            return done(request, f"/repositories/{info.id}", message)
    return await _page(request, form)


def _accesses(form: Form) -> dict[int, Access]:
    """What the fields `key-ID` say."""
    found = {}
    for name in form.values:
        key_id = name.removeprefix("key-")
        if key_id != name and key_id.isascii() and key_id.isdigit() and len(key_id) < 10:
            access = form.read(name, Access)
            if access is not None:
                found[int(key_id)] = access
    return found


async def _page(request: web.Request, form: Form) -> web.Response:
    actor = actor_of(request)
    places = await locations.list_locations(actor)
    default = next((place.name for place in places if place.is_default), "")
    values = {"location": default, **form.values}
    owners = [user.name for user in await users.list_users(actor)] if actor.is_admin else []
    return page(
        request,
        "repositories/add.html",
        status=form.status,
        form=Form(values, form.problems),
        owners=owners,
        locations=places,
        keys=await keys.list_keys(actor),
        groups=[group.name for group in await groups.list_groups(actor)],
        modes=list(Mode),
        accesses=list(Access),
    )
