"""hive repo ping-token ...: what clients report with."""

from __future__ import annotations

from typing import Any

import click

from hive.cli import output
from hive.cli.running import with_hive
from hive.services.permissions import Actor
from hive.services.reports import tokens
from hive.services.reports.tokens import PingTokenInfo
from hive.services.repositories import catalogue


@click.group("ping-token")
def ping_token() -> None:
    """Tokens that clients report backups with."""


def _document(info: PingTokenInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "name": info.name,
        "created_at": output.time(info.created_at),
        "last_used_at": output.time(info.last_used_at),
    }


@ping_token.command("add")
@click.argument("reference", metavar="R")
@click.argument("name")
@output.json_option
@with_hive
async def add(actor: Actor, reference: str, name: str) -> None:
    """Create a token and print its URL, which is not shown again."""
    found = await catalogue.find_repository(actor, reference)
    new = await tokens.add_token(actor, found.id, name)
    output.show_done(
        {**_document(new.info), "token": new.token, "url": new.url},
        f"Ping token {new.info.name} was added. Its URL is not shown again:\n\n  {new.url}\n",
    )


@ping_token.command("list")
@click.argument("reference", metavar="R")
@output.list_options
@with_hive
async def list_(actor: Actor, reference: str) -> None:
    """List the tokens of a repository, without the secret part."""
    found = await catalogue.find_repository(actor, reference)
    infos = await tokens.list_tokens(actor, found.id)
    output.show_list(
        [_document(info) for info in infos],
        {
            "ID": lambda info: info.id,
            "NAME": lambda info: info.name,
            "CREATED": lambda info: info.created_at,
            "LAST USED": lambda info: info.last_used_at,
        },
        infos,
    )


@ping_token.command("delete")
@click.argument("reference", metavar="R")
@click.argument("name")
@output.json_option
@with_hive
async def delete(actor: Actor, reference: str, name: str) -> None:
    """Revoke a token, by its name or id."""
    found = await catalogue.find_repository(actor, reference)
    info = await tokens.delete_token(actor, found.id, name)
    output.show_done(_document(info), f"Ping token {info.name} was deleted.")
