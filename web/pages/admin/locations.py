"""Locations: where repositories lie, and how clients reach them."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from hive.errors import Conflict, InvalidInput, StorageError
from hive.services.permissions import require_admin, require_sight
from hive.services.storage import locations
from hive.services.storage.locations import AddLocation, ChangeLocation, LocationInfo
from hive.services.versions import Thing
from web import csv_file, csv_tables, versioned
from web.access import actor_of
from web.forms import Form, id_of, sent
from web.rendering import done, page
from web.text.i18n import gettext, sentence


async def show_all(request: web.Request) -> web.StreamResponse:
    actor = actor_of(request)
    require_sight(actor)
    found = await locations.list_locations(actor)
    if csv_file.is_wanted(request):
        return await csv_file.answer(request, csv_tables.LOCATIONS, csv_file.at_once(found))
    return page(request, "admin/locations.html", locations=found)


async def show_add(request: web.Request) -> web.Response:
    require_admin(actor_of(request))
    return _page(request, None, Form({}))


async def add(request: web.Request) -> web.Response:
    actor = actor_of(request)
    require_admin(actor)
    form = await sent(request)
    port, root = form.read("port", _port), form.text("root")
    if form.is_fine:
        with form.asking():
            try:
                wanted = AddLocation(
                    name=form.text("name"),
                    host=form.text("host"),
                    port=port,
                    root=Path(root) if root else None,
                )
                info = await locations.add_location(actor, wanted)
            except StorageError as error:  # an administrator may know the path
                raise InvalidInput(error.message, field="root") from error
            message = gettext("The location %(name)s was added.", name=info.name)
            return done(request, "/admin/locations", message)
    return _page(request, None, form)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise InvalidInput("A port is a number from 1 to 65535.", field="port")
    return int(text)


async def show(request: web.Request) -> web.Response:
    info = await _location(request)
    form = await versioned.opened(Thing.LOCATION, info.id, _stored, request)
    return _page(request, info, form)


async def _stored(request: web.Request) -> Form:
    info = await _location(request)
    default = {"default": "yes"} if info.is_default else {}
    return Form({"host": info.host, "port": str(info.port), **default})


async def _location(request: web.Request) -> LocationInfo:
    actor = actor_of(request)
    require_admin(actor)
    return await locations.find_location_by_id(actor, id_of(request))


async def change(request: web.Request) -> web.Response:
    info, form = await _location(request), await sent(request)
    host, port = form.text("host"), form.read("port", _port)
    if form.is_fine:
        with form.asking():
            # What stays as it is shown is not written down: it may follow the server's own name.
            wanted = ChangeLocation(
                host=host if host != info.host else None,
                port=port if port != info.port else None,
                is_default=form.has("default"),
                version=versioned.seen(form, Thing.LOCATION),
            )
            await locations.change_location(actor_of(request), info.id, wanted)
            message = gettext("The location %(name)s was changed.", name=info.name)
            return done(request, "/admin/locations", message)
    await versioned.beside(form, Thing.LOCATION, info.id, _stored, request)
    return _page(request, info, form)


def _page(request: web.Request, info: LocationInfo | None, form: Form) -> web.Response:
    return page(request, "admin/location.html", status=form.status, location=info, form=form)


async def show_delete(request: web.Request) -> web.Response:
    return page(request, "admin/location_delete.html", location=await _location(request))


async def delete(request: web.Request) -> web.Response:
    info = await _location(request)
    try:
        await locations.delete_location(actor_of(request), info.id)
    except Conflict as error:
        return done(request, "/admin/locations", sentence(error.message), problem=True)
    message = gettext("The location %(name)s was deleted.", name=info.name)
    return done(request, "/admin/locations", message)
