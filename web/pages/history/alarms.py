"""What a person says to an alarm that waits for an answer, and what they do about it."""

from __future__ import annotations

from aiohttp import web

from hive.errors import Conflict
from hive.services.alarms import answers
from web.access import actor_of
from web.forms import Form, id_of, internal_path, sent
from web.rendering import done
from web.text.i18n import gettext, sentence


async def answer(request: web.Request) -> web.Response:
    form = await sent(request)
    try:
        info = await answers.answer(actor_of(request), id_of(request), seen=form.number("seen"))
    except Conflict as error:
        return done(request, _back(form), sentence(error.message), problem=True)
    if info.is_critical:
        message = gettext("It has happened again since you looked: that stays open.")
        return done(request, _back(form), message, problem=True)
    return done(request, _back(form), gettext("The alarm is answered; the events keep it."))


async def disable_key(request: web.Request) -> web.Response:
    form = await sent(request)
    try:
        info = await answers.disable_key(actor_of(request), id_of(request))
    except Conflict as error:
        return done(request, _back(form), sentence(error.message), problem=True)
    message = gettext("The key %(name)s is disabled; its sessions end.", name=info.name)
    return done(request, _back(form), message)


def _back(form: Form) -> str:
    return internal_path(form.text("back") or None)
