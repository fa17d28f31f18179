"""Groups and who is in them."""

from __future__ import annotations

import functools

from aiohttp import web

from hive.errors import NotFound
from hive.services import versions
from hive.services.accounts import changing, groups
from hive.services.accounts import users as accounts
from hive.services.accounts.groups import AddGroup, ChangeGroup, GroupInfo
from hive.services.permissions import require_admin
from hive.services.repositories import quotas
from hive.services.versions import Thing
from web import csv_file, csv_tables, versioned
from web.access import actor_of
from web.forms import Form, id_of, sent, size_field
from web.rendering import done, page, quota_set
from web.text.i18n import gettext, sentence

_LED = "/account/groups"


async def show_all(request: web.Request) -> web.StreamResponse:
    actor = actor_of(request)
    users = await accounts.list_users(actor)
    found = await groups.list_groups(actor)
    if csv_file.is_wanted(request):
        return await csv_file.answer(request, csv_tables.GROUPS, csv_file.at_once(found))
    return page(request, "admin/groups.html", groups=found, has_users=bool(users))


async def show_add(request: web.Request) -> web.Response:
    require_admin(actor_of(request))
    return await _page(request, None, Form({}))


async def add(request: web.Request) -> web.Response:
    actor, form = actor_of(request), await sent(request)
    with form.asking():
        members = await _chosen(request, form)
        group = await groups.add_group(actor, AddGroup(name=form.text("name"), members=members))
        message = gettext("The group %(name)s was added.", name=group.name)
        return done(request, "/admin/groups", message)
    return await _page(request, None, form)


async def show_led(request: web.Request) -> web.Response:
    """The groups that one is in; who leads one changes its members here."""
    actor = actor_of(request)
    found = await groups.list_groups(actor)
    mine = [one for one in found if actor.name in one.members]
    return page(request, "account/groups.html", groups=mine, form=Form({}))


async def change_members(request: web.Request) -> web.Response:
    """One member more or fewer, by a lead of the group."""
    actor, form = actor_of(request), await sent(request)
    seen = {one.id: one for one in await groups.list_groups(actor)}
    group = seen.get(id_of(request))
    if group is None:
        raise NotFound("There is no such group.")
    add, remove = form.text("add"), form.text("remove")
    try:
        wanted = ChangeGroup(
            add_members=[add] if add else [], remove_members=[remove] if remove else []
        )
        await groups.set_group(actor, group.id, wanted)
    except NotFound as error:
        return done(request, _LED, sentence(error.message), problem=True)
    return done(request, _LED, gettext("The group %(name)s was changed.", name=group.name))


async def show(request: web.Request) -> web.Response:
    form = await versioned.opened(Thing.GROUP, id_of(request), _stored, request)
    group = await groups.find_group_by_id(actor_of(request), id_of(request))
    return await _page(request, group, form)


async def _stored(request: web.Request) -> Form:
    group = await groups.find_group_by_id(actor_of(request), id_of(request))
    return _as_it_is(group)


def _as_it_is(group: GroupInfo) -> Form:
    most = group.max_repositories
    values = {
        "name": group.name,
        "quota": size_field(group.quota_bytes),
        "max_repositories": "" if most is None else str(most),
        **{f"member-{name}": "yes" for name in group.members},
        **{f"lead-{name}": "yes" for name in group.leads},
    }
    if group.requires_second_factor:
        values["second_factor"] = "yes"
    return Form(values)


async def change(request: web.Request) -> web.Response:
    actor = actor_of(request)
    group = await groups.find_group_by_id(actor, id_of(request))
    form = await sent(request)
    quota, most = form.size("quota"), form.number("max_repositories")
    if not form.is_fine:
        return await _page(request, group, form)
    with form.asking():
        members = await _chosen(request, form)
        leads = {name for name in members if form.has(f"lead-{name}")}
        wanted = ChangeGroup(
            name=form.text("name"),
            members=members,
            add_leads=sorted(leads - set(group.leads)),
            remove_leads=sorted(set(group.leads) & set(members) - leads),
            quota_bytes=quota,
            no_quota=quota is None,
            max_repositories=most,
            no_max_repositories=most is None,
            requires_second_factor=form.has("second_factor"),
        )
        store = functools.partial(changing.change_group, actor, group.id, wanted)
        changed = await versions.holding(group.id, versioned.seen(form, Thing.GROUP), store)
        message = gettext("The group %(name)s was changed.", name=changed.group.name)
        return quota_set(request, "/admin/groups", message, changed.quota_use)
    await versioned.beside(form, Thing.GROUP, group.id, _stored, request)
    return await _page(request, group, form)


async def _chosen(request: web.Request, form: Form) -> list[str]:
    users = await accounts.list_users(actor_of(request))
    return [user.name for user in users if form.has(f"member-{user.name}")]


async def _page(request: web.Request, group: GroupInfo | None, form: Form) -> web.Response:
    users = await accounts.list_users(actor_of(request))
    return page(
        request,
        "admin/group.html",
        status=form.status,
        group=group,
        form=form,
        users=[user.name for user in users],
        quota=await quotas.use_of_group(group.id) if group is not None else None,
    )


async def show_delete(request: web.Request) -> web.Response:
    group = await groups.find_group_by_id(actor_of(request), id_of(request))
    return page(request, "admin/group_delete.html", group=group)


async def delete(request: web.Request) -> web.Response:
    actor = actor_of(request)
    group = await groups.find_group_by_id(actor, id_of(request))
    await groups.delete_group(actor, group.id)
    message = gettext("The group %(name)s was deleted.", name=group.name)
    return done(request, "/admin/groups", message)
