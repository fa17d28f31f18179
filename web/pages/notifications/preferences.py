"""What somebody wants to be told besides rules: reminders, digests, what is shared with them."""

from __future__ import annotations

import functools

from aiohttp import web

from hive.errors import InvalidInput
from hive.kinds import Digest, Rest
from hive.sentences import N_
from hive.services import versions
from hive.services.notifications import preferences
from hive.services.notifications.preferences import Preferences
from hive.services.versions import Thing
from web import versioned
from web.access import actor_of
from web.forms import Form, sent
from web.pages.notifications.person import Person, names_for, person_of
from web.rendering import done, page
from web.text.i18n import gettext

_HERE = "/notifications/preferences"
_WEEKDAYS = (
    N_("Monday"),
    N_("Tuesday"),
    N_("Wednesday"),
    N_("Thursday"),
    N_("Friday"),
    N_("Saturday"),
    N_("Sunday"),
)
_NUMBERS = ("reminder_hours", "expiration_days", "digest_hour", "digest_weekday")


async def show(request: web.Request) -> web.Response:
    person = await person_of(request)
    form = await versioned.opened(Thing.PREFERENCES, person.user.id, _stored, request, person)
    return await _page(request, person, form)


async def _stored(request: web.Request, person: Person) -> Form:
    return _as_it_is(await preferences.get(actor_of(request), person.user.id))


def _as_it_is(found: Preferences) -> Form:
    numbers = {name: str(getattr(found, name)) for name in _NUMBERS}
    shared = "yes" if found.is_told_of_shared else ""
    values = {
        "digest": str(found.digest),
        "is_told_of_shared": shared,
        "is_mailed": "yes" if found.is_mailed else "",
        "is_told_of_critical": "yes" if found.is_told_of_critical else "",
        "rest": str(found.rest),
    }
    return Form({**numbers, **values})


async def change(request: web.Request) -> web.Response:
    person, form = await person_of(request), await sent(request)
    numbers = {name: _number(form, name) for name in _NUMBERS}
    digest = form.read("digest", Digest)
    if digest is None and form.is_fine:
        form.complain(InvalidInput("This is none of the choices.", field="digest"))
    # a form without it, of a script for example, changes nothing about it
    rest = form.read("rest", Rest) if form.text("rest") else None
    wishes: dict[str, object] = {} if rest is None else {"rest": rest}
    if form.has("asks_for_mail"):
        wishes["is_mailed"] = form.has("is_mailed")
    if person.user.is_admin:
        wishes["is_told_of_critical"] = form.has("is_told_of_critical")
    if form.is_fine:
        with form.asking():
            store = functools.partial(
                preferences.change,
                actor_of(request),
                person.user.id,
                **numbers,
                digest=digest,
                is_told_of_shared=form.has("is_told_of_shared"),
                **wishes,
            )
            seen = versioned.seen(form, Thing.PREFERENCES)
            await versions.holding(person.user.id, seen, store)
            return done(request, person.path(_HERE), gettext("The preferences were changed."))
    await versioned.beside(form, Thing.PREFERENCES, person.user.id, _stored, request, person)
    return await _page(request, person, form)


def _number(form: Form, name: str) -> int | None:
    if not form.text(name):
        form.complain(InvalidInput("A number is missing.", field=name))
    return form.number(name)


async def _page(request: web.Request, person: Person, form: Form) -> web.Response:
    weekdays = [(str(number), gettext(name)) for number, name in enumerate(_WEEKDAYS)]
    return page(
        request,
        "notifications/preferences.html",
        status=form.status,
        form=form,
        person=person,
        names=await names_for(request),
        digests=list(Digest),
        hours=[(str(hour), f"{hour:02}:00") for hour in range(24)],
        weekdays=weekdays,
    )
