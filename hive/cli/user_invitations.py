"""hive user invite and hive user invitations."""

from __future__ import annotations

from typing import Any

import click

from hive.cli import output
from hive.cli.running import with_hive
from hive.services.accounts import invitations, users
from hive.services.permissions import Actor


@click.command("invite")
@click.argument("reference", metavar="USER")
@click.option("--revoke", is_flag=True, help="Make the link of an open invitation worthless.")
@output.json_option
@with_hive
async def invite(actor: Actor, reference: str, revoke: bool) -> None:
    """Invite a user to choose a password within a week; again, to replace the link."""
    found = await users.find_user(actor, reference)
    if revoke:
        name = await invitations.revoke(actor, found.id)
        output.show_done({"user": name}, f"The invitation of {name} was revoked.")
        return
    done = await invitations.invite(actor, found.id)
    document: dict[str, Any] = {
        "user": done.user,
        "expires_at": output.time(done.expires_at),
        "mailed_to": done.mailed_to,
        "url": done.url,
    }
    output.show_done(document, done.url or f"The invitation was sent to {done.mailed_to}.")


@click.command("invitations")
@output.list_options
@with_hive
async def invitations_(actor: Actor) -> None:
    """List open invitations."""
    infos = await invitations.list_open(actor)
    output.show_list(
        [
            {
                "user": info.user,
                "created_at": output.time(info.created_at),
                "created_by": info.created_by,
                "expires_at": output.time(info.expires_at),
                "mailed_to": info.mailed_to,
            }
            for info in infos
        ],
        {
            "USER": lambda info: info.user,
            "SENT TO": lambda info: info.mailed_to,
            "BY": lambda info: info.created_by,
            "GOOD UNTIL": lambda info: info.expires_at,
        },
        infos,
        details=("BY",),
    )
