"""Users: added, changed, disabled, deleted, and a new password for them."""

from __future__ import annotations

import functools

from aiohttp import web

from hive import clock
from hive.errors import Conflict, DeliveryFailed, InvalidInput, Unavailable
from hive.kinds import Role
from hive.services import versions
from hive.services.accounts import (
    changing,
    handing_over,
    invitations,
    passwords,
    second_factor,
    users,
)
from hive.services.accounts.changing import NeedsConfirmation
from hive.services.accounts.dependents import Dependents
from hive.services.accounts.handing_over import HandOver
from hive.services.accounts.users import AddUser, ChangeUser, ResetLink, UserInfo
from hive.services.permissions import require_admin, require_sight
from hive.services.repositories import quotas
from hive.services.versions import Thing
from web import csv_file, csv_tables, versioned
from web.access import actor_of, user_of
from web.forms import Form, id_of, new_password, sent, size_field
from web.rendering import done, page, quota_set
from web.text.i18n import gettext, sentence
from web.text.words import word


async def show_all(request: web.Request) -> web.StreamResponse:
    found = await users.list_users(actor_of(request))
    if csv_file.is_wanted(request):
        return await csv_file.answer(request, csv_tables.USERS, csv_file.at_once(found))
    invited = await invitations.list_open(actor_of(request))
    return page(request, "admin/users.html", users=found, invited=invited)


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
            if form.has("invite"):
                return await _invited(request, user)
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
    form = await versioned.opened(Thing.USER, user.id, _stored, request)
    return await _page(request, user, form)


async def _stored(request: web.Request) -> Form:
    return _as_it_is(await _seen(request))


async def _user(request: web.Request) -> UserInfo:
    actor = actor_of(request)
    require_admin(actor)
    return await users.get_user(actor, id_of(request))


async def _seen(request: web.Request) -> UserInfo:
    actor = actor_of(request)
    require_sight(actor)
    return await users.get_user(actor, id_of(request))


def _as_it_is(user: UserInfo) -> Form:
    boxes = {"enabled": user.enabled, "keys": user.keys_enabled}
    return Form(
        {
            "email": user.email or "",
            "expires": clock.rfc3339(user.expires_at) if user.expires_at else "",
            "max_repositories": _number_field(user.max_repositories),
            "quota": size_field(user.quota_bytes),
            "role": user.role,
            **{name: "yes" for name, is_ticked in boxes.items() if is_ticked},
        }
    )


def _number_field(number: int | None) -> str:
    return "" if number is None else str(number)


async def change(request: web.Request) -> web.Response:
    user, form = await _user(request), await sent(request)
    quota, role = form.size("quota"), form.read("role", Role)
    expires, most = form.when("expires"), form.number("max_repositories")
    is_new_end = form.text("expires") != _as_it_is(user).text("expires")
    if not form.is_fine:
        return await _page(request, user, form)
    with form.asking():
        wanted = ChangeUser(
            email=form.text("email"),
            role=role,
            may_log_in=form.has("enabled"),
            may_use_keys=form.has("keys"),
            expires_at=expires if is_new_end else None,
            never_expires=expires is None,
            max_repositories=most,
            no_max_repositories=most is None,
            quota_bytes=quota,
            no_quota=quota is None,
            is_confirmed=form.has("confirmed"),
        )
        try:
            store = functools.partial(changing.change_user, actor_of(request), user.id, wanted)
            changed = await versions.holding(user.id, versioned.seen(form, Thing.USER), store)
        except NeedsConfirmation as asked:
            return await _page(request, user, form, asked.dependents)
        message = gettext("The user %(name)s was changed.", name=user.name)
        return quota_set(request, f"/admin/users/{user.id}", message, changed.quota_use)
    await versioned.beside(form, Thing.USER, user.id, _stored, request)
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
    shown = await versioned.opened(Thing.USER, user.id, _stored, request)
    shown.problems, shown.status = form.problems, form.status
    return await _page(request, user, shown)


async def make_reset_link(request: web.Request) -> web.Response:
    """The link is shown once, to be handed over; it is no part of any address."""
    user = await _user(request)
    try:
        link = await users.reset_link(actor_of(request), user.id)
    except Conflict as error:
        return done(request, f"/admin/users/{user.id}", sentence(error.message), problem=True)
    return page(request, "admin/user_link.html", user=user, link=link)


async def invite(request: web.Request) -> web.Response:
    return await _invited(request, await _user(request))


async def _invited(request: web.Request, user: UserInfo) -> web.Response:
    """Says where the invitation went, or shows its link, once."""
    here = f"/admin/users/{user.id}"
    try:
        found = await invitations.invite(actor_of(request), user.id)
    except (Conflict, Unavailable, DeliveryFailed) as error:
        return done(request, here, sentence(error.message), problem=True)
    if found.url is not None:
        link = ResetLink(found.url, found.expires_at)
        return page(request, "admin/user_link.html", user=user, link=link)
    message = gettext("The invitation was sent to %(address)s.", address=found.mailed_to or "")
    return done(request, here, message)


async def revoke_invitation(request: web.Request) -> web.Response:
    user = await _user(request)
    await invitations.revoke(actor_of(request), user.id)
    message = gettext("The invitation of %(name)s was revoked.", name=user.name)
    return done(request, "/admin/users", message)


async def show_hand_over(request: web.Request) -> web.Response:
    return await _hand_over_page(request, await _user(request), Form({}))


async def hand_over(request: web.Request) -> web.Response:
    """Shows what would go first; only the second button gives it away."""
    user, form = await _user(request), await sent(request)
    actor, receiver = actor_of(request), form.text("receiver")
    with form.asking():
        if not form.has("confirmed"):
            found = await handing_over.preview(actor, user.id, receiver)
            return await _hand_over_page(request, user, form, found)
        given = await handing_over.hand_over(actor, user.id, receiver)
        message = gettext(
            "%(receiver)s now owns what belonged to %(giver)s.",
            receiver=given.receiver,
            giver=given.giver,
        )
        return done(request, f"/admin/users/{user.id}", message)
    return await _hand_over_page(request, user, form)


async def _hand_over_page(
    request: web.Request, user: UserInfo, form: Form, found: HandOver | None = None
) -> web.Response:
    others = await users.list_users(actor_of(request))
    return page(
        request,
        "admin/user_hand_over.html",
        status=form.status,
        user=user,
        form=form,
        found=found,
        others=[(one.name, one.name) for one in others if one.id != user.id],
    )


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
