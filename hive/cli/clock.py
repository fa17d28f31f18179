"""The commands below hive clock."""

from __future__ import annotations

import click

from hive.cli import output
from hive.cli.running import with_hive
from hive.clock import rfc3339
from hive.services.clock import trust
from hive.services.permissions import Actor
from hive.services.server import clock_watch


@click.group()
def clock() -> None:
    """The server's clock, and whether it can be trusted."""


@clock.command("show")
@output.json_option
@with_hive
async def show(_actor: Actor) -> None:
    """Show the time, and whether it can be trusted."""
    doubt = await trust.doubt()
    now = rfc3339(trust.reading().wall)
    why = None if doubt is None else clock_watch.trouble(doubt).words
    document = {
        "now": now,
        "trusted": doubt is None,
        "synchronised": trust.is_synchronised(),
        "problem": why,
    }
    output.show_done(document, f"{now}: {why or 'the clock is trusted.'}")


@clock.command("confirm")
@output.json_option
@with_hive
async def confirm(actor: Actor) -> None:
    """Trust the clock as it is now, after a jump."""
    now = rfc3339(await trust.confirm(actor))
    words = f"{now} is trusted as the time. A running server takes a few seconds to follow."
    output.show_done({"now": now, "trusted": True}, words)
