"""The links that show the wall without a login."""

from __future__ import annotations

from aiohttp import web

from hive.services import runtime
from hive.services.accounts import wall_links
from hive.services.permissions import require_admin
from web.access import actor_of
from web.forms import Form, id_of, sent
from web.rendering import done, page
from web.text.i18n import gettext

_HERE = "/admin/wall"


async def show(request: web.Request) -> web.Response:
    return await _page(request, Form({}))


async def add(request: web.Request) -> web.Response:
    """Answers with the link at once: nothing that is kept, a message either, may hold it."""
    actor, form = actor_of(request), await sent(request)
    require_admin(actor)
    with form.asking():
        new = await wall_links.add(actor, form.text("name"))
        return await _page(request, Form({}), url=new.url)
    return await _page(request, form)


async def revoke(request: web.Request) -> web.Response:
    info = await wall_links.revoke(actor_of(request), id_of(request))
    message = gettext("The link %(name)s shows nothing any more.", name=info.name)
    return done(request, _HERE, message)


async def _page(request: web.Request, form: Form, *, url: str = "") -> web.Response:
    return page(
        request,
        "admin/wall_links.html",
        status=form.status,
        form=form,
        links=await wall_links.list_links(actor_of(request)),
        url=url,
        has_public_url=runtime.public_url() is not None,
        is_in_clear=url.startswith("http:"),
    )
