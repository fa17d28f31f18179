"""Replacing a key by another one, which takes over all that it opens."""

from __future__ import annotations

from enum import StrEnum

from aiohttp import web

from hive.errors import Forbidden, InvalidInput
from hive.services.keys import keys, replacing
from hive.services.keys.infos import KeyInfo
from hive.services.keys.replacing import ReplaceKey
from web.access import actor_of
from web.forms import Form, id_of, sent
from web.rendering import done, page
from web.text.i18n import gettext


class OldKey(StrEnum):
    """What becomes of the old key."""

    DISABLE = "disable"
    DELETE = "delete"
    KEEP = "keep"


async def show(request: web.Request) -> web.Response:
    begun = Form({"old": str(OldKey.DISABLE), "keep_until": "+14d"})
    return _page(request, await _key(request), begun)


async def submit(request: web.Request) -> web.Response:
    info = await _key(request)
    form = await sent(request, with_files=True)
    pasted, file = form.text("public_key"), form.values.get("file", "").strip()
    if pasted and file and pasted != file:
        form.complain(InvalidInput("Paste a key or choose a file, not both.", field="file"))
    expires_at, old = form.when("expires"), form.read("old", OldKey)
    keep_until = form.when("keep_until") if old == OldKey.KEEP else None
    if old == OldKey.KEEP and keep_until is None and form.is_fine:
        form.complain(InvalidInput("Say how long the old key stays valid.", field="keep_until"))
    if form.is_fine:
        with form.asking():
            wanted = ReplaceKey(
                public_key=pasted or file,
                expires_at=expires_at,
                delete_old=old == OldKey.DELETE,
                keep_until=keep_until,
            )
            made = await replacing.replace_key(actor_of(request), info.id, wanted)
            message = gettext(
                "The key was replaced. Repositories that the new one has taken over: %(count)s.",
                count=made.taken_over,
            )
            return done(request, f"/keys/{made.key.id}", message)
    return _page(request, info, form)


async def _key(request: web.Request) -> KeyInfo:
    actor = actor_of(request)
    info = await keys.find_key_by_id(actor, id_of(request))
    if not replacing.may_replace(actor, info):
        raise Forbidden("Only the owner of a key and administrators replace it.")
    return info


def _page(request: web.Request, info: KeyInfo, form: Form) -> web.Response:
    return page(request, "keys/key_replace.html", status=form.status, key=info, form=form)
