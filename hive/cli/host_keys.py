"""The command hive host-keys."""

from __future__ import annotations

import click

from hive.cli import output
from hive.cli.running import with_hive
from hive.services.gate import host_keys as service
from hive.services.permissions import Actor
from hive.services.storage import locations


@click.command("host-keys")
@click.option(
    "--accept",
    is_flag=True,
    help="Accept the keys on disk, which were replaced or removed on purpose.",
)
@output.json_option
@with_hive
async def host_keys(actor: Actor, accept: bool) -> None:
    """Show the server's SSH host keys.

    The lines for clients' known_hosts files come with them.
    """
    if accept:
        await service.accept_current(actor)
    keys = await service.public_keys()
    places = {(info.host, info.port) for info in await locations.list_locations(actor)}
    lines = [line for place in sorted(places) for line in service.known_hosts_lines(*place, keys)]
    document = {
        "keys": [
            {"type": key.type, "bits": key.bits, "fingerprint": key.fingerprint, "line": key.line}
            for key in keys
        ],
        "known_hosts": lines,
    }
    if output.wants_json():
        output.show_json(document)
        return
    if not keys:
        output.say("There are no host keys yet; the server creates them when it first starts.")
    for key in keys:
        click.echo(f"{key.fingerprint}  {key.type} {key.bits}")
    if lines:
        click.echo("\nFor ~/.ssh/known_hosts of the clients:\n")
    for line in lines:
        click.echo(line)
