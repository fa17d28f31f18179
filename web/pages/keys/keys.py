"""Public keys: the list, adding, changing and deleting one."""

from __future__ import annotations

from aiohttp import web

from hive.errors import InvalidInput
from hive.kinds import Level
from hive.services.keys import keys, replacing, revocation
from hive.services.keys.infos import KeyInfo
from hive.services.keys.keys import AddKey, ChangeKey
from hive.services.overview import choices
from hive.services.overview.keyring import keyring
from hive.services.sessions import key_places
from hive.services.versions import Thing
from web import csv_file, csv_tables, versioned
from web.access import actor_of, user_of
from web.forms import Form, id_of, sent, share_levels
from web.rendering import done, page
from web.text.i18n import gettext


async def show_all(request: web.Request) -> web.StreamResponse:
    if csv_file.is_wanted(request):
        rows = csv_file.at_once(await keys.list_keys(actor_of(request)))
        return await csv_file.answer(request, csv_tables.KEYS, rows)
    found = await keyring(actor_of(request))
    return page(
        request,
        "keys/keys.html",
        keys=found.keys,
        refused=found.refused,
        other_algorithms=found.without_common_algorithm,
    )


async def show_add(request: web.Request) -> web.Response:
    return await _add_page(request, Form({"owner": user_of(request).name}))


async def add(request: web.Request) -> web.Response:
    actor = actor_of(request)
    form = await sent(request, with_files=True)
    pasted, file = form.text("public_key"), form.values.get("file", "").strip()
    if pasted and file and pasted != file:
        form.complain(InvalidInput("Paste a key or choose a file, not both.", field="file"))
    expires_at = form.when("expires")
    if form.is_fine:
        with form.asking():
            wanted = AddKey(
                name=form.text("name"),
                owner=form.text("owner") if actor.is_admin else actor.name,
                text=pasted or file,
                expires_at=expires_at,
                networks=_networks(form),
            )
            info = await keys.add_key(actor, wanted)
            message = gettext("The key %(name)s was added.", name=info.name)
            return done(request, f"/keys/{info.id}", message)
    return await _add_page(request, form)


def _networks(form: Form) -> list[str]:
    return form.text("networks").replace(",", " ").split()


async def _add_page(request: web.Request, form: Form) -> web.Response:
    actor = actor_of(request)
    owners = await choices.owners(actor)
    return page(request, "keys/key_add.html", status=form.status, form=form, owners=owners)


async def show(request: web.Request) -> web.Response:
    form = await versioned.opened(Thing.KEY, id_of(request), _stored, request)
    info = await keys.find_key_by_id(actor_of(request), id_of(request))
    return await _edit_page(request, info, form)


async def _stored(request: web.Request) -> Form:
    return _as_it_is(await keys.find_key_by_id(actor_of(request), id_of(request)))


def _as_it_is(info: KeyInfo) -> Form:
    expires = info.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ") if info.expires_at else ""
    return Form(
        {
            "name": info.name,
            "enabled": "yes" if info.enabled else "",
            "expires": expires,
            "networks": "\n".join(info.networks),
            **{f"share-{share.group}": share.level for share in info.shares},
        }
    )


async def change(request: web.Request) -> web.Response:
    actor = actor_of(request)
    info = await keys.find_key_by_id(actor, id_of(request))
    form = await sent(request)
    expires_at = form.when("expires")
    levels = share_levels(form, await choices.group_names(actor))
    if form.is_fine:
        with form.asking():
            wanted = ChangeKey(
                name=form.text("name"),
                enabled=form.has("enabled"),
                expires_at=expires_at,
                never_expires=expires_at is None,
                networks=_networks(form),
                share_levels=levels,
                version=versioned.seen(form, Thing.KEY),
            )
            changed = await keys.change_key(actor, info.id, wanted)
            message = gettext("The key %(name)s was changed.", name=changed.name)
            return done(request, f"/keys/{info.id}", message)
    await versioned.beside(form, Thing.KEY, info.id, _stored, request)
    return await _edit_page(request, info, form)


async def _edit_page(request: web.Request, info: KeyInfo, form: Form) -> web.Response:
    actor = actor_of(request)
    mine = await choices.group_names(actor)
    places = await key_places.places_of_key(actor, info.id)
    opened = {use.repository_id for use in info.uses}
    refused = [one for one in places.values() if one.refused_at]
    return page(
        request,
        "keys/key.html",
        status=form.status,
        key=info,
        form=form,
        places=places,
        refused=[one for one in refused if one.repository_id not in opened],
        groups=mine,
        other_shares=[share for share in info.shares if share.group not in mine],
        may_manage=await keys.level(actor, info.id) >= Level.MANAGE,
        may_replace=replacing.may_replace(actor, info),
        may_disable_everywhere=revocation.may_disable_everywhere(actor, info),
    )


async def disable_everywhere(request: web.Request) -> web.Response:
    actor = actor_of(request)
    key_id = id_of(request)
    disabled = await revocation.disable_key_everywhere(actor, key_id)
    names = ", ".join(f"{one.owner}/{one.name}" for one in disabled)
    message = (
        gettext("This key was disabled: %(names)s.", names=names)
        if disabled
        else gettext("This key was disabled everywhere already.")
    )
    return done(request, f"/keys/{key_id}", message)


async def show_delete(request: web.Request) -> web.Response:
    actor = actor_of(request)
    info = await keys.find_key_by_id(actor, id_of(request))
    await keys.require_manage(actor, info.id)
    return page(request, "keys/key_delete.html", key=info)


async def delete(request: web.Request) -> web.Response:
    actor = actor_of(request)
    info = await keys.find_key_by_id(actor, id_of(request))
    await keys.delete_key(actor, info.id)
    return done(request, "/keys", gettext("The key %(name)s was deleted.", name=info.name))
