"""The commands below hive user."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from hive.cli import output, values
from hive.cli.later import add_later
from hive.cli.notifications.preferences import preferences
from hive.cli.running import with_hive
from hive.kinds import Role
from hive.services.accounts import changing, second_factor, users
from hive.services.accounts.users import AddUser, ChangeUser, UserInfo
from hive.services.permissions import Actor
from hive.services.repositories import quotas

_ROLES = (
    "An operator manages all repositories and keys, an auditor sees everything and changes nothing."
)


@click.group()
def user() -> None:
    """Users, who own repositories and keys."""


def _role(admin: bool | None, role: str | None) -> Role | None:
    if admin is None:
        return Role(role) if role is not None else None
    if role is not None:
        raise click.UsageError("Give either --role or --admin or --no-admin.")
    return Role.ADMINISTRATOR if admin else Role.MEMBER


def _document(info: UserInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "name": info.name,
        "email": info.email,
        "admin": info.is_admin,
        "role": info.role,
        "enabled": info.enabled,
        "keys_enabled": info.keys_enabled,
        "expires_at": output.time(info.expires_at),
        "has_password": info.has_password,
        "groups": list(info.groups),
        "created_at": output.time(info.created_at),
        "last_login_at": output.time(info.last_login_at),
        "quota_bytes": info.quota_bytes,
        "max_repositories": info.max_repositories,
    }


user.add_command(preferences)
add_later(
    user,
    "hive.cli",
    {
        "hand-over": (
            "user_hand_over:hand_over",
            "Give all repositories, keys and shared channels of a user to another one.",
        ),
        "invite": (
            "user_invitations:invite",
            "Invite a user to choose a password within a week; again, to replace the link.",
        ),
        "invitations": ("user_invitations:invitations_", "List open invitations."),
    },
)


@user.command("add")
@click.argument("name")
@click.option(
    "--admin", is_flag=True, help="Make the user an administrator, who sees and manages everything."
)
@click.option("--role", type=values.ROLE, default=Role.MEMBER.value, show_default=True, help=_ROLES)
@click.option("--email", metavar="E")
@click.option("--password-stdin", is_flag=True, help="Read a password from standard input.")
@output.json_option
def add(**given: Any) -> None:  # noqa: ANN401 - click's own values
    """Add a user. Without a password, the user cannot log in to the web pages."""
    _add(**given)


@with_hive
async def _add(
    actor: Actor,
    /,
    *,
    name: str,
    admin: bool,
    role: str,
    email: str | None,
    password_stdin: bool,
) -> None:
    password = values.read_password(from_standard_input=True) if password_stdin else None
    info = await users.add_user(
        actor,
        AddUser(
            name=name,
            email=email,
            password=password,
            role=Role.ADMINISTRATOR if admin else Role(role),
        ),
    )
    output.show_done(_document(info), f"User {info.name} was added.")
    if not info.has_password:
        output.say(
            f"{info.name} has no password and cannot log in to the web pages. `hive user reset-link"
            f" {info.name}` prints a link to choose one; `hive user password {info.name}` sets one."
        )


@user.command("list")
@output.list_options
@with_hive
async def list_(actor: Actor) -> None:
    """List all users."""
    infos = await users.list_users(actor)
    output.show_list(
        [_document(info) for info in infos],
        {
            "ID": lambda info: info.id,
            "NAME": lambda info: info.name,
            "ROLE": lambda info: info.role,
            "ENABLED": lambda info: info.enabled,
            "PASSWORD": lambda info: info.has_password,
            "GROUPS": lambda info: info.groups,
            "LAST LOGIN": lambda info: info.last_login_at,
        },
        infos,
        details=("LAST LOGIN", "PASSWORD", "GROUPS", "ID"),
    )


@user.command("show")
@click.argument("reference", metavar="USER")
@output.json_option
@with_hive
async def show(actor: Actor, reference: str) -> None:
    """Show one user."""
    info = await users.find_user(actor, reference)
    use = await quotas.use_of_user(info.id)
    document = _document(info) | {"used_bytes": None if use is None else use.used_bytes}
    shown = {
        "groups": ", ".join(info.groups),
        "quota_bytes": output.size(info.quota_bytes),
        "used_bytes": None if use is None else output.size(use.used_bytes),
    }
    output.show_one(document, {**document, **shown})


@user.command("set")
@click.argument("reference", metavar="USER")
@click.option("--email", metavar="E", help="Mail address; an empty one removes it.")
@click.option("--admin/--no-admin", default=None, help="Short for --role administrator, member.")
@click.option("--role", type=values.ROLE, help=_ROLES)
@click.option(
    "--enable/--disable",
    "enabled",
    default=None,
    help="A disabled user and their keys cannot log in.",
)
@click.option("--login/--no-login", "may_log_in", default=None, help="Only the web pages.")
@click.option("--keys/--no-keys", "may_use_keys", default=None, help="Only the keys of the user.")
@click.option("--until", type=values.WHEN, metavar="WHEN", help="The account ends then, or never.")
@click.option(
    "--max-repositories",
    type=values.COUNT,
    metavar="N",
    help="How many repositories the user may own, or none: no limit.",
)
@click.option(
    "--quota",
    type=values.LIMIT,
    metavar="SIZE",
    help="For all repositories that the user owns: 500GB, 2TiB, none, ...",
)
@output.json_option
@click.pass_context
def set_(context: click.Context, /, **given: Any) -> None:  # noqa: ANN401 - click's own values
    """Change a user. Options that are left out change nothing."""
    _set(
        **given,
        no_quota=values.is_given_as_none(context, "quota"),
        never_expires=values.is_given_as_none(context, "until"),
        no_max_repositories=values.is_given_as_none(context, "max_repositories"),
    )


@with_hive
async def _set(
    actor: Actor,
    /,
    *,
    reference: str,
    admin: bool | None,
    role: str | None,
    until: datetime | None,
    quota: int | None,
    **given: Any,  # noqa: ANN401 - click's own values
) -> None:
    found = await users.find_user(actor, reference)
    if not output.is_anything_asked():
        output.show_unchanged(_document(found))
        return
    wanted = ChangeUser(
        role=_role(admin, role),
        expires_at=until,
        quota_bytes=quota,
        is_confirmed=True,
        **given,
    )
    changed = await changing.change_user(actor, found.id, wanted)
    for line in changed.dependents.sentences if changed.dependents else ():
        output.say(f"Warning: {line}")
    info = changed.user
    output.show_done(_document(info), f"User {info.name} was changed.")
    output.warn_of(changed.quota_use)


@user.command("password")
@click.argument("reference", metavar="USER")
@click.option("--password-stdin", is_flag=True, help="Read it from standard input.")
@output.json_option
@with_hive
async def password(actor: Actor, reference: str, password_stdin: bool) -> None:
    """Set a user's password; their browser sessions end."""
    found = await users.find_user(actor, reference)
    text = values.read_password(from_standard_input=password_stdin)
    await users.set_password(actor, found.id, text)
    info = await users.find_user(actor, str(found.name))
    output.show_done(_document(info), f"The password of {info.name} was changed.")


@user.command("unlock")
@click.argument("reference", metavar="USER")
@output.json_option
@with_hive
async def unlock(actor: Actor, reference: str) -> None:
    """Reset the number of failed logins of a user."""
    found = await users.find_user(actor, reference)
    await users.unlock(actor, found.id)
    output.show_done(_document(found), f"The failed logins of {found.name} were reset.")


@user.command("reset-link")
@click.argument("reference", metavar="USER")
@output.json_option
@with_hive
async def reset_link(actor: Actor, reference: str) -> None:
    """Print a link for choosing a new password; it works once, within an hour."""
    found = await users.find_user(actor, reference)
    link = await users.reset_link(actor, found.id)
    document = {"user": found.name, "url": link.url, "expires_at": output.time(link.expires_at)}
    output.show_done(document, link.url)


@user.command("second-factor")
@click.argument("reference", metavar="USER")
@click.option("--off", is_flag=True, help="Remove authenticator app, passkeys, recovery codes.")
@output.json_option
@with_hive
async def second_factor_(actor: Actor, reference: str, off: bool) -> None:
    """Show the second factor of a user, or turn it off."""
    found = await users.find_user(actor, reference)
    if off:
        await second_factor.switch_off(actor, found.id)
    factors = await second_factor.factors_of(found.id)
    document = {
        "user": found.name,
        "second_factor": factors.is_on,
        "authenticator_app": factors.totp,
        "passkeys": factors.passkeys,
        "recovery_codes": factors.recovery_codes,
    }
    if off:
        output.show_done(document, f"The second factor of {found.name} was turned off.")
    else:
        output.show_one(document, document)


@user.command("delete")
@click.argument("reference", metavar="USER")
@output.json_option
@with_hive
async def delete(actor: Actor, reference: str) -> None:
    """Delete a user who owns nothing."""
    found = await users.find_user(actor, reference)
    await users.delete_user(actor, found.id)
    output.show_done(_document(found), f"User {found.name} was deleted.")
