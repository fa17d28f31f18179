"""The command hive setup-link."""

from __future__ import annotations

import click

from hive.cli import output
from hive.cli.running import with_hive
from hive.errors import Conflict
from hive.services import runtime
from hive.services.accounts import first_setup
from hive.services.permissions import Actor


@click.command("setup-link")
@output.json_option
@with_hive
async def setup_link(_actor: Actor) -> None:
    """Print a new link that creates the first administrator; earlier links stop working."""
    token = await first_setup.new_setup_token()
    if token is None:
        raise Conflict(
            "There is an administrator already. `hive user reset-link NAME` prints a link to"
            " choose a new password; `hive user add NAME --admin` adds another administrator."
        )
    url = f"{runtime.base_url()}/setup/{token}"
    output.show_done({"url": url}, url)
    if runtime.read_listening() is None:
        output.say("The server is not running: start it, and it prints a new link.")
