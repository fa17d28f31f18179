"""The commands below hive address."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from hive.cli import output, values
from hive.cli.running import with_hive
from hive.errors import Conflict
from hive.services.gate import client_addresses
from hive.services.gate.client_addresses import AddressInfo
from hive.services.permissions import Actor


@click.group()
def address() -> None:
    """Client addresses that are banned, allowed, slowed down or refused."""


def _document(info: AddressInfo) -> dict[str, Any]:
    return {
        "network": info.network,
        "ruling": info.ruling,
        "reason": info.reason,
        "created_by": info.created_by,
        "expires_at": output.time(info.expires_at),
        "troubles": [
            {
                "trouble": trouble.trouble,
                "count": trouble.count,
                "reason": trouble.reason,
                "client": trouble.client,
                "first_at": output.time(trouble.first_at),
                "last_at": output.time(trouble.last_at),
            }
            for trouble in info.troubles
        ],
    }


def _troubles(info: AddressInfo) -> str:
    return ", ".join(f"{one.trouble} ({one.count})" for one in info.troubles)


def _last_words(info: AddressInfo) -> str:
    return info.troubles[0].reason if info.troubles else info.reason


@address.command("list")
@output.list_options
@with_hive
async def list_(actor: Actor) -> None:
    """List bans, allowed networks, and addresses that had problems in the last 30 days."""
    infos = await client_addresses.list_addresses(actor)
    output.show_list(
        [_document(info) for info in infos],
        {
            "ADDRESS": lambda info: info.network,
            "RULE": lambda info: info.ruling,
            "UNTIL": lambda info: info.expires_at,
            "PROBLEMS": _troubles,
            "LAST": lambda info: info.last_at,
            "REASON": _last_words,
        },
        infos,
        details=("REASON", "LAST"),
    )


@address.command("ban")
@click.argument("network")
@click.option("--until", type=values.WHEN, metavar="WHEN", help="2027-01-31, +1d or never.")
@click.option("--reason", default="", help="One line, shown to administrators.")
@click.option("--yes", is_flag=True, help="Ban it even if clients logged in from there recently.")
@output.json_option
@with_hive
async def ban(
    actor: Actor, *, network: str, until: datetime | None, reason: str, yes: bool
) -> None:
    """Refuse SSH connections from an address or network; running sessions continue."""
    try:
        info = await client_addresses.ban(
            actor, network, expires_at=until, reason=reason, is_confirmed=yes
        )
    except Conflict as error:
        if error.field != "confirmed":
            raise
        raise Conflict(f"{error.message} To confirm, add --yes.") from None
    output.show_done(_document(info), f"{info.network} is banned.")


@address.command("allow")
@click.argument("network")
@click.option("--until", type=values.WHEN, metavar="WHEN", help="2027-01-31, +1d or never.")
@click.option("--reason", default="", help="One line, shown to administrators.")
@output.json_option
@with_hive
async def allow(actor: Actor, *, network: str, until: datetime | None, reason: str) -> None:
    """Exempt an address or network from the connection limits."""
    info = await client_addresses.allow(actor, network, expires_at=until, reason=reason)
    output.show_done(_document(info), f"{info.network} is allowed.")


@address.command("release")
@click.argument("network")
@output.json_option
@with_hive
async def release(actor: Actor, network: str) -> None:
    """Remove the rule on an address or network, and reset its limits."""
    released = await client_addresses.release(actor, network)
    output.show_done({"network": released}, f"{released} was released.")
