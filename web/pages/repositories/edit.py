"""Changing a repository: name, quota, shares; and giving it to another owner."""

from __future__ import annotations

from aiohttp import web

from hive.errors import Conflict
from hive.services.lifecycle import changing
from hive.services.lifecycle.changing import ChangeRepository
from hive.services.overview import choices
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from hive.services.versions import Thing
from web import versioned
from web.access import actor_of
from web.forms import Form, id_of, sent, share_levels, size_field
from web.rendering import done, page, quota_set
from web.text.i18n import gettext, sentence


async def show(request: web.Request) -> web.Response:
    form = await versioned.opened(Thing.REPOSITORY, id_of(request), _stored, request)
    info = await catalogue.find_changeable(actor_of(request), id_of(request))
    return await _page(request, info, form)


async def _stored(request: web.Request) -> Form:
    return _as_it_is(await catalogue.find_changeable(actor_of(request), id_of(request)))


def _as_it_is(info: RepositoryInfo) -> Form:
    quota = size_field(info.quota_bytes)
    shares = {f"share-{share.group}": str(share.level) for share in info.groups}
    return Form({"name": info.name, "quota": quota, "owner": info.owner, **shares})


async def submit(request: web.Request) -> web.Response:
    actor = actor_of(request)
    info = await catalogue.find_changeable(actor, id_of(request))
    form = await sent(request)
    quota = form.size("quota")
    levels = share_levels(form, await choices.group_names(actor))
    if form.is_fine:
        with form.asking():
            wanted = ChangeRepository(
                name=form.text("name"),
                quota_bytes=quota,
                no_quota=quota is None,
                share_levels=levels,
                version=versioned.seen(form, Thing.REPOSITORY),
            )
            changed = await changing.change(actor, info.id, wanted)
            message = gettext("The repository %(name)s was changed.", name=changed.repository.name)
            return quota_set(request, f"/repositories/{info.id}", message, changed.quota_use)
    await versioned.beside(form, Thing.REPOSITORY, info.id, _stored, request)
    return await _page(request, info, form)


async def give(request: web.Request) -> web.Response:
    actor = actor_of(request)
    info = await catalogue.find_changeable(actor, id_of(request))
    form = await sent(request)
    owner = form.text("owner")
    with form.asking():
        wanted = ChangeRepository(owner=owner, version=versioned.seen(form, Thing.REPOSITORY))
        await changing.change(actor, info.id, wanted)
        message = gettext(
            "The repository %(name)s now belongs to %(owner)s.", name=info.name, owner=owner
        )
        return done(request, f"/repositories/{info.id}", message)
    await versioned.beside(form, Thing.REPOSITORY, info.id, _stored, request)
    form.values = {**(await _stored(request)).values, **form.values}
    return await _page(request, info, form)


async def set_strict_paths(request: web.Request) -> web.Response:
    repository_id = id_of(request)
    await changing.change(actor_of(request), repository_id, ChangeRepository(strict_paths=True))
    message = gettext("From now on only the path in its URL opens the repository.")
    return done(request, f"/repositories/{repository_id}", message)


async def confirm_empty(request: web.Request) -> web.Response:
    repository_id = id_of(request)
    try:
        await changing.change(
            actor_of(request), repository_id, ChangeRepository(confirm_empty=True)
        )
    except Conflict as error:
        where = f"/repositories/{repository_id}"
        return done(request, where, sentence(error.message), problem=True)
    message = gettext("Clients may create the repository again.")
    return done(request, f"/repositories/{repository_id}", message)


async def _page(request: web.Request, info: RepositoryInfo, form: Form) -> web.Response:
    form.values = {"owner": info.owner, **form.values}  # the other form of the page
    offered = await choices.for_sharing(actor_of(request))
    return page(
        request,
        "repositories/edit.html",
        status=form.status,
        repository=info,
        form=form,
        groups=offered.groups,
        other_shares=[share for share in info.groups if share.group not in offered.groups],
        owners=offered.owners,
    )
