"""Which keys open a repository, and how far."""

from __future__ import annotations

from aiohttp import web

from hive.errors import InvalidInput
from hive.kinds import Access
from hive.services.keys import grants
from hive.services.keys.grants import ChangeAccess
from hive.services.overview import repository_tabs
from hive.services.repositories import catalogue
from web.access import actor_of
from web.forms import Form, id_of, sent
from web.pages.repositories import frame
from web.rendering import done
from web.text.i18n import gettext


async def show(request: web.Request) -> web.Response:
    return await _page(request, Form({"access": Access.FULL}))


async def submit(request: web.Request) -> web.Response:
    """One key gets access, other access or, where none is chosen, no access any more."""
    actor = actor_of(request)
    info = await catalogue.find_changeable(actor, id_of(request))
    form = await sent(request)
    key_id, access = form.read("key", _key_id), form.read("access", Access)
    if key_id is None and form.is_fine:
        form.complain(InvalidInput("Choose a key.", field="key"))
    if form.is_fine and key_id is not None:
        with form.asking():
            await grants.change_access(actor, info.id, ChangeAccess(key_accesses={key_id: access}))
            message = (
                gettext("The key has access now.")
                if access
                else gettext("The key no longer has access.")
            )
            return done(request, f"/repositories/{info.id}/keys", message)
    return await _page(request, form)


def _key_id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidInput("Choose a key.", field="key")
    return int(text)


async def _page(request: web.Request, form: Form) -> web.Response:
    view = await repository_tabs.keys_tab(actor_of(request), id_of(request))
    frame.require_there(view.head)
    return frame.tab_page(
        request,
        "repositories/keys.html",
        frame.KEYS,
        view.head,
        status=form.status,
        form=form,
        visible=view.visible,
        others=view.others,
        accesses=list(Access),
    )
