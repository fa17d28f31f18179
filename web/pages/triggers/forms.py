"""Adding and changing a trigger. What is secret is taken in and never sent back."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from hive.errors import InvalidInput
from hive.kinds import TriggerKind
from hive.sentences import N_
from hive.services import triggers
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from hive.services.triggers import AddTrigger, ChangeTrigger, TriggerInfo, settings
from hive.services.versions import Thing
from web import versioned
from web.access import actor_of
from web.forms import Form, id_of, one_of, sent
from web.rendering import done, page
from web.text.i18n import gettext, reader


async def show_add(request: web.Request) -> web.Response:
    actor = actor_of(request)
    info = await catalogue.find_changeable(actor, id_of(request))
    kind = one_of(request, "kind", TriggerKind)
    form = Form({"timezone": getattr(reader().zone, "key", "")})
    return _add_page(request, info, kind if kind in triggers.kinds_for(actor) else None, form)


async def add(request: web.Request) -> web.Response:
    actor = actor_of(request)
    info = await catalogue.find_changeable(actor, id_of(request))
    form = await sent(request)
    kind = form.read("kind", TriggerKind)
    if kind is None:
        if form.is_fine:
            form.complain(InvalidInput("Choose what is to be called.", field="kind"))
        return _add_page(request, info, None, form)
    values = _settings(form, kind, {})
    if form.is_fine:
        with form.asking():
            wanted = AddTrigger(
                name=form.text("name"),
                kind=kind,
                settings=values,
                cron=form.text("cron") or None,
                timezone=form.text("timezone") or None,
                is_for_late=form.has("late"),
            )
            added = await triggers.add_trigger(actor, info.id, wanted)
            message = gettext("The trigger %(name)s was added.", name=added.name)
            return done(request, f"/triggers/{added.id}", message)
    return _add_page(request, info, kind, form)


def _add_page(
    request: web.Request, info: RepositoryInfo, kind: TriggerKind | None, form: Form
) -> web.Response:
    actor = actor_of(request)
    if kind is None:
        kinds = triggers.kinds_for(actor)
        return page(
            request,
            "triggers/kinds.html",
            status=form.status,
            repository=info,
            form=form,
            kinds=kinds,
        )
    return page(
        request,
        "triggers/trigger_add.html",
        status=form.status,
        repository=info,
        form=form,
        **_means(actor, kind, {}),
    )


def _means(actor: Actor, kind: TriggerKind, former: Mapping[str, str]) -> dict[str, object]:
    """What the fields of this kind are made of; `commands` None: others choose the command."""
    may_choose = kind in triggers.kinds_for(actor)
    is_command = kind == TriggerKind.COMMAND
    return {
        "kind": kind,
        "former": former,
        "headers": [name for name in former if name.startswith(settings.HEADER)],
        "methods": settings.METHODS,
        "commands": triggers.commands(actor) if is_command and may_choose else None,
    }


async def show_edit(request: web.Request) -> web.Response:
    actor = actor_of(request)
    info = await triggers.get_trigger(actor, id_of(request))
    await catalogue.require_manage(actor, info.repository_id)
    form = await versioned.opened(Thing.TRIGGER, info.id, _stored, request)
    return _edit_page(request, info, form)


async def _stored(request: web.Request) -> Form:
    return _as_it_is(await triggers.get_trigger(actor_of(request), id_of(request)))


def _as_it_is(info: TriggerInfo) -> Form:
    open_to_see = {
        name: value
        for name, value in info.settings.items()
        if not settings.is_secret(info.kind, name)
    }
    return Form(
        {
            **open_to_see,
            "name": info.name,
            "cron": info.cron or "",
            "timezone": info.timezone or "",
            "late": "yes" if info.is_for_late else "",
        }
    )


async def edit(request: web.Request) -> web.Response:
    actor = actor_of(request)
    info = await triggers.get_trigger(actor, id_of(request))
    await catalogue.require_manage(actor, info.repository_id)
    form = await sent(request)
    is_theirs = info.kind in triggers.kinds_for(actor)
    values = _settings(form, info.kind, info.settings) if is_theirs else {}
    if form.is_fine:
        cron = form.text("cron")
        wanted = ChangeTrigger(
            name=form.text("name"),
            settings=values,
            cron=cron,
            timezone=form.text("timezone") if cron else None,
            is_for_late=form.has("late"),
            version=versioned.seen(form, Thing.TRIGGER),
        )
        with form.asking():
            changed = await triggers.change_trigger(actor, info.id, wanted)
            message = gettext("The trigger %(name)s was changed.", name=changed.name)
            return done(request, f"/triggers/{info.id}", message)
    await versioned.beside(form, Thing.TRIGGER, info.id, _stored, request)
    return _edit_page(request, info, form)


def _edit_page(request: web.Request, info: TriggerInfo, form: Form) -> web.Response:
    return page(
        request,
        "triggers/trigger_edit.html",
        status=form.status,
        trigger=info,
        form=form,
        **_means(actor_of(request), info.kind, info.settings),
    )


def _settings(form: Form, kind: TriggerKind, former: Mapping[str, str]) -> dict[str, str]:
    """What was typed; a secret that was left empty stays as it was, unless it is to go."""
    values = {name: "" for name in former if form.has(f"drop-{name}")}
    for name in settings.names_of(kind):
        if not settings.is_secret(kind, name):
            values[name] = form.text(name)
        elif form.values.get(name):
            values[name] = form.values[name]
    if kind == TriggerKind.WEBHOOK:
        values |= _sent_headers(form, former)
    return values


def _sent_headers(form: Form, former: Mapping[str, str]) -> dict[str, str]:
    """The headers that were typed, one a line; `token` is the Token that there was."""
    known = {name.lower(): name for name in former}
    values = {}
    for line in form.text("header").splitlines():
        name, colon, value = (part.strip() for part in line.partition(":"))
        if name and value:
            setting = f"{settings.HEADER}{name}"
            values[known.get(setting.lower(), setting)] = value
        elif name or colon:
            problem = N_("Write one header per line, as Name: value.")
            form.complain(InvalidInput(problem, field="header"))
    return values
