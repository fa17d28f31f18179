"""The commands below hive secrets."""

from __future__ import annotations

import click

from hive.cli import output
from hive.cli.running import with_hive
from hive.services import runtime
from hive.services import secrets as service
from hive.services.permissions import Actor


@click.group()
def secrets() -> None:
    """Stored secrets of channels, triggers and authenticator apps."""


@secrets.command("rotate")
@click.option(
    "--lost", "is_lost", is_flag=True, help="Continue without the old key, which is lost."
)
@output.json_option
@with_hive
async def rotate(actor: Actor, is_lost: bool) -> None:
    """Create a new key and encrypt all stored secrets again; the server may be running."""
    number = await service.rotate(actor, is_lost=is_lost)
    path = runtime.paths().secret
    output.show_done(
        {"secrets": number, "key_file": str(path)},
        f"{output.counted(number, 'secret')} sealed with a new key. Keep a copy of {path}.",
    )
