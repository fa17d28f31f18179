"""hive maintenance: announce that the server is being worked on."""

from __future__ import annotations

from datetime import timedelta

import click

from hive.cli import output, values
from hive.cli.running import with_hive
from hive.errors import InvalidInput
from hive.services.outbox import downtimes
from hive.services.permissions import Actor


@click.command("maintenance")
@click.option(
    "--for", "length", type=values.DURATION, metavar="SPAN", help="Start now, for 4h, 90m, ..."
)
@click.option("--end", "is_end", is_flag=True, help="End it now.")
@output.json_option
@with_hive
async def maintenance(actor: Actor, length: timedelta | None, is_end: bool) -> None:
    """Announce maintenance, during which missing backups are not reported.

    Without options, show it.
    """
    if length is not None and is_end:
        raise InvalidInput("Give either --for or --end.")
    if is_end:
        await downtimes.end(actor)
        output.show_done({"until": None, "by": None}, "The maintenance is over.")
        return
    if length is not None:
        await downtimes.announce(actor, length)
    found = await downtimes.announced()
    if found is None:
        output.show_done({"until": None, "by": None}, "No maintenance is announced.")
        return
    until = output.time(found.until)
    document = {"begun_at": output.time(found.begun_at), "until": until, "by": found.by}
    output.show_done(document, f"Maintenance until {until}: missing backups are not reported.")
