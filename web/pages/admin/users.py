"""Users: added, changed, disabled, deleted, and a new password for them."""

from __future__ import annotations

from aiohttp import web

from hive.errors import Conflict, InvalidInput
from hive.kinds import Role
from hive.services.accounts import changing, passwords, second_factor, users
from hive.services.accounts.changing import NeedsConfirmation
from hive.services.accounts.dependents import Dependents
from hive.services.accounts.users import AddUser, ChangeUser, UserInfo
from hive.services.permissions import require_admin, require_sight
from hive.services.repositories import quotas
from web import csv_file, csv_tables
from web.access import actor_of, user_of
from web.forms import Form, id_of, new_password, sent, size_field
from web.rendering import done, page, quota_set
from web.text.i18n import gettext, sentence
from web.text.words import word


async def show_all(request: web.Request) -> web.StreamResponse:
    found = await users.list_users(actor_of(request))
    if csv_file.is_wanted(request):
        return await csv_file.answer(request, csv_tables.USERS, csv_file.at_once(found))
    return page(request, "admin/users.html", users=found)


async def show_add(request: web.Request) -> web.Response:
    require_admin(actor_of(request))
    return _add_page(request, Form({}))


async def add(request: web.Request) -> web.Response:
    actor = actor_of(request)
    require_admin(actor)
    form = await sent(request)
    password, role = _password(form), form.read("role", Role) or Role.MEMBER
    if form.is_fine:
        with form.asking():
            wanted = AddUser(
                name=form.text("name"),
                email=form.text("email"),
                password=password,
                role=role,
            )
            user = await users.add_user(actor, wanted)
            message = gettext("The user %(name)s was added.", name=user.name)
            return done(request, f"/admin/users/{user.id}", message)
    return _add_page(request, form)


def _password(form: Form) -> str | None:
    """What was typed twice; none is no password, and no login with a browser."""
    return new_password(form, "password") or None


def _add_page(request: web.Request, form: Form) -> web.Response:
    least = passwords.MIN_LENGTH
    return page(
        request, "admin/user_add.html", status=form.status, form=form, least=least, roles=roles()
    )


def roles() -> list[tuple[str, str]]:
    """The roles that can be chosen, with their words."""
    return [(role.value, word(role)) for role in Role]


async def show(request: web.Request) -> web.Response:
    user = await _seen(request)
    return await _page(request, user, _as_it_is(user))


async def _user(request: web.Request) -> UserInfo:
    actor = actor_of(request)
    require_admin(actor)
    return await users.get_user(actor, id_of(request))


async def _seen(request: web.Request) -> UserInfo:
    actor = actor_of(request)
    require_sight(actor)
    return await users.get_user(actor, id_of(request))


def _as_it_is(user: UserInfo) -> Form:
    boxes = {"enabled": "yes"} if user.enabled else {}
    return Form(
        {
            "email": user.email or "",
            "quota": size_field(user.quota_bytes),
            "role": user.role,
            **boxes,
        }
    )


async def change(request: web.Request) -> web.Response:
    user, form = await _user(request), await sent(request)
    quota, role = form.size("quota"), form.read("role", Role)
    if not form.is_fine:
        return await _page(request, user, form)
    with form.asking():
        wanted = ChangeUser(
            email=form.text("email"),
            role=role,
            enabled=form.has("enabled"),
            quota_bytes=quota,
            no_quota=quota is None,
            is_confirmed=form.has("confirmed"),
        )
        try:
            changed = await changing.change_user(actor_of(request), user.id, wanted)
        except NeedsConfirmation as asked:
            return await _page(request, user, form, asked.dependents)
        message = gettext("The user %(name)s was changed.", name=user.name)
        return quota_set(request, f"/admin/users/{user.id}", message, changed.quota_use)
    return await _page(request, user, form)


async def set_password(request: web.Request) -> web.Response:
    user, form = await _user(request), await sent(request)
    password = _password(form)
    if password is None and form.is_fine:
        form.complain(InvalidInput("Type the new password.", field="password"))
    if form.is_fine and password is not None:
        with form.asking():
            await users.set_password(actor_of(request), user.id, password)
            message = gettext("%(name)s has a new password.", name=user.name)
            return done(request, f"/admin/users/{user.id}", message)
    shown = Form(_as_it_is(user).values, form.problems, form.status)
    return await _page(request, user, shown)


async def make_reset_link(request: web.Request) -> web.Response:
    """The link is shown once, to be handed over; it is no part of any address."""
    user = await _user(request)
    try:
        link = await users.reset_link(actor_of(request), user.id)
    except Conflict as error:
        return done(request, f"/admin/users/{user.id}", sentence(error.message), problem=True)
    return page(request, "admin/user_link.html", user=user, link=link)


async def switch_off_second_factor(request: web.Request) -> web.Response:
    user = await _user(request)
    await second_factor.switch_off(actor_of(request), user.id)
    message = gettext("The second factor of %(name)s was switched off.", name=user.name)
    return done(request, f"/admin/users/{user.id}", message)


async def unlock(request: web.Request) -> web.Response:
    user = await _user(request)
    await users.unlock(actor_of(request), user.id)
    message = gettext("The wrong passwords for %(name)s are no longer counted.", name=user.name)
    return done(request, f"/admin/users/{user.id}", message)


async def _page(
    request: web.Request, user: UserInfo, form: Form, found: Dependents | None = None
) -> web.Response:
    """`found` depends on the user, who is to be disabled: that is asked for once more."""
    return page(
        request,
        "admin/user.html",
        dependents=found,
        roles=roles(),
        status=form.status,
        user=user,
        form=form,
        least=passwords.MIN_LENGTH,
        factors=await second_factor.factors_of(user.id),
        quota=await quotas.use_of_user(user.id),
        is_self=user.id == user_of(request).id,
        wrong=users.wrong_passwords(user.name),
    )


async def show_delete(request: web.Request) -> web.Response:
    return page(request, "admin/user_delete.html", user=await _user(request))


async def delete(request: web.Request) -> web.Response:
    user = await _user(request)
    try:
        await users.delete_user(actor_of(request), user.id)
    except Conflict as error:
        return done(request, f"/admin/users/{user.id}", sentence(error.message), problem=True)
    return done(request, "/admin/users", gettext("The user %(name)s was deleted.", name=user.name))
