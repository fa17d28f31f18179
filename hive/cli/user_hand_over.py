"""hive user hand-over: what belongs to somebody who leaves goes to somebody else."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from hive.cli import output
from hive.cli.running import with_hive
from hive.services.accounts import handing_over, users
from hive.services.permissions import Actor


@click.command("hand-over")
@click.argument("reference", metavar="USER")
@click.option("--to", "receiver", metavar="OTHER", required=True, help="The new owner.")
@click.option("--dry-run", is_flag=True, help="Show what would be handed over; change nothing.")
@output.json_option
@with_hive
async def hand_over(actor: Actor, reference: str, receiver: str, dry_run: bool) -> None:
    """Give all repositories, keys and shared channels of a user to another one."""
    found = await users.find_user(actor, reference)
    move = handing_over.preview if dry_run else handing_over.hand_over
    done = await move(actor, found.id, receiver)
    document = dataclasses.asdict(done)
    if dry_run:
        output.show_one(document, {**document, **_named(document)})
        return
    output.show_done(
        document,
        f"{done.receiver} now owns what belonged to {done.giver}: repositories:"
        f" {len(done.repositories)}, keys: {len(done.keys)}, channels: {len(done.channels)}.",
    )


def _named(document: dict[str, Any]) -> dict[str, str]:
    return {
        name: ", ".join(value) or "none"
        for name, value in document.items()
        if not isinstance(value, str)
    }
