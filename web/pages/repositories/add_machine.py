"""Adding a machine: its key and its repository with one form."""

from __future__ import annotations

from enum import StrEnum

from aiohttp import web

from hive.errors import InvalidInput
from hive.kinds import Access
from hive.services.overview import choices
from hive.services.repositories import machines
from hive.services.repositories.machines import AddMachine, Machine
from web import schedule_form
from web.access import actor_of, user_of
from web.forms import Form, query, sent, share_levels
from web.rendering import done, page
from web.text.i18n import gettext


class KeyChoice(StrEnum):
    """Where the machine's key comes from."""

    NEW = "new"
    STORED = "stored"
    LATER = "later"


_ACCESSES = (Access.APPEND_ONLY, Access.FULL)


async def show(request: web.Request) -> web.Response:
    user = user_of(request)
    begun = {
        "key_from": str(KeyChoice.NEW),
        "access": str(Access.APPEND_ONLY),
        "owner": user.name,
        **schedule_form.preselected_for_machine(user),
    }
    return await _page(request, Form(begun))


async def submit(request: web.Request) -> web.Response:
    actor = actor_of(request)
    form = await sent(request)
    quota = form.size("quota")
    access = form.read("access", _access) or Access.APPEND_ONLY
    schedule = schedule_form.change_of(form)
    public_key, key = _key(form)
    levels = share_levels(form, await choices.group_names(actor))
    if form.is_fine:
        with form.asking():
            wanted = AddMachine(
                name=form.text("name"),
                public_key=public_key,
                key=key,
                access=access,
                owner=form.text("owner") if actor.is_admin else None,
                location=form.text("location") or None,
                quota_bytes=quota,
                share_levels={name: level for name, level in levels.items() if level},
                schedule=schedule,
                tags=form.text("tag").replace(",", " ").split(),
            )
            added = await machines.add_machine(actor, wanted)
            name = added.repository.name
            message = gettext("The machine %(name)s was added. Now connect it.", name=name)
            return done(request, _connect(added, access), message)
    return await _page(request, form)


def _connect(added: Machine, access: Access) -> str:
    """The page that connects it; where the key comes later, it knows what the key is to do."""
    is_later = added.key is None and access != Access.APPEND_ONLY
    path = f"/repositories/{added.repository.id}/connect"
    return query(path, access=access if is_later else None)


def _access(text: str) -> Access:
    access = Access(text)
    if access not in _ACCESSES:
        raise ValueError(text)
    return access


def _key(form: Form) -> tuple[str | None, str | None]:
    """The line that was pasted, or what names a stored key; neither where it comes later."""
    match form.read("key_from", KeyChoice):
        case KeyChoice.NEW:
            return form.values.get("public_key", ""), None
        case KeyChoice.STORED if form.text("key"):
            return None, form.text("key")
        case KeyChoice.STORED:
            form.complain(InvalidInput("Choose a key.", field="key"))
        case None if form.is_fine:
            form.complain(InvalidInput("Choose a key.", field="key_from"))
    return None, None


async def _page(request: web.Request, form: Form) -> web.Response:
    offered = await choices.for_new_machine(actor_of(request))
    values = {"location": offered.location, **form.values}
    return page(
        request,
        "repositories/add_machine.html",
        status=form.status,
        form=Form(values, form.problems),
        owners=offered.owners,
        locations=offered.locations,
        key_names=offered.key_names,
        groups=offered.groups,
    )
