"""Channels: the list, adding one of a kind, changing, trying and deleting one."""

from __future__ import annotations

from aiohttp import web

from hive.errors import Conflict, DeliveryFailed, InvalidInput, NotFound
from hive.kinds import Level
from hive.services.notifications import channels, saving, trials
from hive.services.notifications.channels import ChannelInfo, KindInfo
from hive.services.notifications.saving import AddChannel, ChangeChannel, SavedChannel
from hive.services.notifications.trials import Trial
from hive.services.outbox import allowed
from hive.services.overview import choices
from hive.services.permissions import require_admin
from hive.services.versions import Thing
from web import versioned
from web.access import actor_of, user_of
from web.forms import Form, id_of, sent, share_levels
from web.pages.notifications.channel_form import (
    empty_form,
    form_of,
    settings_on_form,
    typed_settings,
)
from web.rendering import done, page
from web.text.i18n import gettext, sentence

_HERE = "/notifications/channels"


async def show_all(request: web.Request) -> web.Response:
    actor = actor_of(request)
    return page(
        request,
        "notifications/channels.html",
        channels=await channels.list_channels(actor),
        allowed=await allowed.list_allowed(actor) if actor.is_admin else [],
    )


async def show_add(request: web.Request) -> web.Response:
    """First the kinds to choose from, then the form of the kind."""
    name = request.query.get("kind")
    if not name:
        return page(
            request, "notifications/channel_kinds.html", kinds=channels.offered(actor_of(request))
        )
    kind = _offered(request, name)
    return await _add_page(request, kind, empty_form(kind, user_of(request).name))


def _offered(request: web.Request, name: str) -> KindInfo:
    for kind in channels.offered(actor_of(request)):
        if kind.kind == name:
            return kind
    raise NotFound("There is no such kind of channel.")


async def add(request: web.Request) -> web.Response:
    actor, form = actor_of(request), await sent(request)
    kind = _offered(request, form.text("kind"))
    with form.asking():
        wanted = AddChannel(
            name=form.text("name"),
            owner=form.text("owner") if actor.is_admin else None,
            kind=kind.kind,
            settings=typed_settings(form, settings_on_form(kind, {})),
        )
        saved = await saving.add_channel(actor, wanted)
        message = gettext("The channel %(name)s was added.", name=saved.channel.name)
        return _saved(request, saved, message)
    return await _add_page(request, kind, form)


def _saved(request: web.Request, saved: SavedChannel, message: str) -> web.Response:
    """Say that it was saved, and what came of the test message."""
    response = done(request, f"{_HERE}/{saved.channel.id}", message)
    if saved.trial is not None:
        _say(request, saved.channel.id, saved.trial)
    return response


def _say(request: web.Request, channel_id: int, trial: Trial) -> web.Response:
    here = f"{_HERE}/{channel_id}"
    if trial.arrived:
        return done(request, here, gettext("Sent. The answer was: %(answer)s", answer=trial.answer))
    message = gettext("Not delivered: %(answer)s", answer=sentence(trial.answer))
    return done(request, here, message, problem=True)


async def allow(request: web.Request) -> web.Response:
    """Allow the private address of a channel, and try the channel again."""
    channel_id = id_of(request)
    try:
        found = await saving.allow_refused_address(actor_of(request), channel_id)
    except (InvalidInput, Conflict) as error:
        return done(request, f"{_HERE}/{channel_id}", sentence(error.message), problem=True)
    message = gettext("Notifications can reach %(network)s from now on.", network=found.network)
    return _saved(request, found.saved, message)


async def revoke(request: web.Request) -> web.Response:
    """Allow a network no longer."""
    actor, form = actor_of(request), await sent(request)
    require_admin(actor)
    try:
        network = await allowed.revoke(actor, form.text("network"))
    except (InvalidInput, NotFound) as error:
        return done(request, _HERE, sentence(error.message), problem=True)
    message = gettext("Notifications no longer reach %(network)s.", network=network)
    return done(request, _HERE, message)


async def _add_page(request: web.Request, kind: KindInfo, form: Form) -> web.Response:
    settings = settings_on_form(kind, {})
    return page(
        request,
        "notifications/channel_add.html",
        status=form.status,
        kind=kind,
        form=form,
        settings=settings,
        labels={one.name: sentence(one.title) for one in settings},
        owners=await choices.channel_owners(actor_of(request), kind),
    )


async def show(request: web.Request) -> web.Response:
    form = await versioned.opened(Thing.CHANNEL, id_of(request), _stored, request)
    return await _edit_page(request, await _channel(request), form)


async def _stored(request: web.Request) -> Form:
    info = await _channel(request)
    return form_of(info, channels.kind_of(info))


async def _channel(request: web.Request) -> ChannelInfo:
    return await channels.find_by_id(actor_of(request), id_of(request))


def _changeable_kind(request: web.Request, info: ChannelInfo) -> KindInfo | None:
    """The kind whose settings the one who looks may change; else there is but name and state."""
    kinds = {kind.kind: kind for kind in channels.offered(actor_of(request))}
    return kinds.get(info.kind)


async def change(request: web.Request) -> web.Response:
    actor, info, form = actor_of(request), await _channel(request), await sent(request)
    await channels.require_manage(actor, info.id)
    kind = _changeable_kind(request, info)
    settings = settings_on_form(kind, info.settings) if kind is not None else []
    levels = share_levels(form, await choices.group_names(actor))
    if form.is_fine:
        with form.asking():
            wanted = ChangeChannel(
                name=form.text("name"),
                enabled=form.has("enabled"),
                settings=typed_settings(form, settings),
                share_levels=levels,
                version=versioned.seen(form, Thing.CHANNEL),
            )
            saved = await saving.change_channel(actor, info.id, wanted)
            message = gettext("The channel %(name)s was changed.", name=saved.channel.name)
            return _saved(request, saved, message)
    await versioned.beside(form, Thing.CHANNEL, info.id, _stored, request)
    return await _edit_page(request, info, form)


async def _edit_page(request: web.Request, info: ChannelInfo, form: Form) -> web.Response:
    actor = actor_of(request)
    kind = _changeable_kind(request, info)
    settings = settings_on_form(kind, info.settings) if kind is not None else []
    mine = await choices.group_names(actor)
    return page(
        request,
        "notifications/channel.html",
        status=form.status,
        channel=info,
        allow_command=f"hive channel allow {info.condition.refused_address}",
        form=form,
        settings=settings,
        labels={one.name: sentence(one.title) for one in settings},
        groups=mine,
        other_shares=[share for share in info.shares if share.group not in mine],
        may_manage=await channels.level(actor, info.id) >= Level.MANAGE,
    )


async def test(request: web.Request) -> web.Response:
    """Send a test message, and show what the far end really answers."""
    actor, info = actor_of(request), await _channel(request)
    try:
        answer = await trials.test_now(actor, info.id)
    except DeliveryFailed as error:
        return _say(request, info.id, Trial(arrived=False, answer=error.message))
    return _say(request, info.id, Trial(arrived=True, answer=answer))


async def show_delete(request: web.Request) -> web.Response:
    info = await _channel(request)
    await channels.require_manage(actor_of(request), info.id)
    return page(request, "notifications/channel_delete.html", channel=info)


async def delete(request: web.Request) -> web.Response:
    """Also one that rules use, if the page has named them."""
    info, form = await _channel(request), await sent(request)
    try:
        await channels.delete(actor_of(request), info.id, with_rules=form.has("with_rules"))
    except Conflict as error:
        return done(request, f"{_HERE}/{info.id}/delete", sentence(error.message), problem=True)
    message = gettext("The channel %(name)s was deleted.", name=info.name)
    return done(request, _HERE, message)
