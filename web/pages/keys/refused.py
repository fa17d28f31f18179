"""Keys that knocked and were not let in: add one, or forget it."""

from __future__ import annotations

from aiohttp import web

from hive.kinds import Access
from hive.services.keys import refused_keys
from hive.services.keys.refused_keys import LetIn
from web.access import actor_of
from web.forms import Form, id_of, sent
from web.rendering import done, page
from web.text.i18n import gettext


async def show(request: web.Request) -> web.Response:
    return await _page(request, Form({"access": Access.FULL}))


async def let_in(request: web.Request) -> web.Response:
    actor = actor_of(request)
    refused = await refused_keys.find_refused(actor, id_of(request))
    form = await sent(request)
    access = form.read("access", Access) or Access.FULL
    if form.is_fine:
        with form.asking():
            key = await refused_keys.let_in(
                actor, refused.id, LetIn(name=form.text("name"), access=access)
            )
            message = gettext(
                "The key %(key)s now opens %(repository)s.",
                key=key.name,
                repository=refused.repository,
            )
            return done(request, f"/keys/{key.id}", message)
    return await _page(request, form)


async def _page(request: web.Request, form: Form) -> web.Response:
    refused = await refused_keys.find_refused(actor_of(request), id_of(request))
    if not form.text("name"):
        form = Form({**form.values, "name": _suggestion(refused)}, form.problems, form.status)
    return page(
        request,
        "keys/refused_key.html",
        status=form.status,
        refused=refused,
        form=form,
        accesses=list(Access),
    )


def _suggestion(refused: refused_keys.RefusedKeyInfo) -> str:
    if refused.known_as is not None:
        return refused.known_as
    return f"{refused.repository} {refused.peer}"


async def dismiss(request: web.Request) -> web.Response:
    await refused_keys.dismiss(actor_of(request), id_of(request))
    return done(
        request,
        "/keys",
        gettext("The key was removed from the list. It reappears if it tries to log in."),
    )
