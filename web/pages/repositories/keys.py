"""Which keys open a repository, and how far."""

from __future__ import annotations

from aiohttp import web

from hive.errors import InvalidInput
from hive.kinds import Access
from hive.services.keys import grants, keys
from hive.services.keys.grants import ChangeAccess
from hive.services.repositories import catalogue
from web.access import actor_of
from web.forms import Form, id_of, sent
from web.rendering import done, page
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
    actor = actor_of(request)
    info = await catalogue.find_changeable(actor, id_of(request))
    visible = {key.id: key for key in await keys.list_keys(actor)}
    granted = {key.key_id for key in info.keys}
    return page(
        request,
        "repositories/keys.html",
        status=form.status,
        repository=info,
        form=form,
        visible=visible,
        others=[key for key in visible.values() if key.id not in granted],
        accesses=list(Access),
    )
