"""Channels: the list, adding one of a kind, changing, trying and deleting one."""

from __future__ import annotations

from aiohttp import web

from hive.errors import Conflict, DeliveryFailed, InvalidInput, NotFound
from hive.kinds import Level
from hive.services.accounts import groups
from hive.services.accounts import users as accounts
from hive.services.notifications import channels, trials
from hive.services.notifications.channels import ChannelInfo, KindInfo
from hive.services.notifications.trials import Trial
from hive.services.outbox import allowed, sending
from hive.services.permissions import require_admin
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
        info = await channels.add(
            actor,
            form.text("name"),
            owner=form.text("owner") if actor.is_admin else actor.name,
            kind=kind.kind,
            settings=typed_settings(form, settings_on_form(kind, {})),
        )
        message = gettext("The channel %(name)s was added.", name=info.name)
        return await _saved(request, info, message)
    return await _add_page(request, kind, form)


async def _saved(request: web.Request, info: ChannelInfo, message: str) -> web.Response:
    """Say that it was saved, and what came of the test message."""
    response = done(request, f"{_HERE}/{info.id}", message)
    trial = await trials.after_saving(actor_of(request), info.id)
    if trial is not None:
        _say(request, info.id, trial)
    return response


def _say(request: web.Request, channel_id: int, trial: Trial) -> web.Response:
    here = f"{_HERE}/{channel_id}"
    if trial.arrived:
        return done(request, here, gettext("Sent. The answer was: %(answer)s", answer=trial.answer))
    message = gettext("Not delivered: %(answer)s", answer=sentence(trial.answer))
    return done(request, here, message, problem=True)


async def allow(request: web.Request) -> web.Response:
    """Allow the private address of a channel, and try the channel again."""
    actor, info = actor_of(request), await _channel(request)
    require_admin(actor)
    address = info.condition.refused_address
    if address is None:
        message = gettext("No address of this channel waits to be allowed.")
        return done(request, f"{_HERE}/{info.id}", message, problem=True)
    try:
        network = await allowed.allow(actor, address)
    except InvalidInput as error:
        return done(request, f"{_HERE}/{info.id}", sentence(error.message), problem=True)
    message = gettext("Notifications can reach %(network)s from now on.", network=network)
    return await _saved(request, info, message)


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
    actor = actor_of(request)
    users = await accounts.list_users(actor) if actor.is_admin else []
    owners = [user.name for user in users if user.is_admin or not kind.administrators_only]
    settings = settings_on_form(kind, {})
    return page(
        request,
        "notifications/channel_add.html",
        status=form.status,
        kind=kind,
        form=form,
        settings=settings,
        labels={one.name: sentence(one.title) for one in settings},
        owners=owners,
    )


async def show(request: web.Request) -> web.Response:
    info = await _channel(request)
    return await _edit_page(request, info, form_of(info, channels.kind_of(info)))


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
    levels = share_levels(form, [group.name for group in await groups.list_groups(actor)])
    if form.is_fine:
        with form.asking():
            changed = await channels.change(
                actor,
                info.id,
                name=form.text("name"),
                enabled=form.has("enabled"),
                settings=typed_settings(form, settings) or None,
                share_levels=levels,
            )
            message = gettext("The channel %(name)s was changed.", name=changed.name)
            return await _saved(request, changed, message)
    return await _edit_page(request, info, form)


async def _edit_page(request: web.Request, info: ChannelInfo, form: Form) -> web.Response:
    actor = actor_of(request)
    kind = _changeable_kind(request, info)
    settings = settings_on_form(kind, info.settings) if kind is not None else []
    mine = [group.name for group in await groups.list_groups(actor)]
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
        async with sending.opened_means() as means:
            answer = await trials.test(actor, info.id, means)
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
