"""The commands below hive location."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hive.cli import confirming, output, values
from hive.cli.running import with_hive
from hive.services.permissions import Actor
from hive.services.storage import claiming, locations, places
from hive.services.storage.locations import AddLocation, ChangeLocation, LocationInfo

_WARNING = (
    "Two installations that write to the same repositories destroy them. Take the storage over only"
    " if the other installation no longer runs, here or on another machine: it will refuse all"
    " sessions there from then on."
)


@click.group()
def location() -> None:
    """Locations: the address that clients connect to, and the storage directory."""


def _document(info: LocationInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "name": info.name,
        "host": info.host,
        "port": info.port,
        "root": str(info.root),
        "default": info.is_default,
        "repositories": info.repositories,
        "free_bytes": info.free_bytes,
        "problem": info.problem,
        "created_at": output.time(info.created_at),
    }


@location.command("add")
@click.argument("name")
@click.option("--host", required=True, help="Host name that clients connect to.")
@click.option("--port", type=values.PORT, help="Port that clients connect to.")
@click.option("--root", type=values.DIRECTORY, metavar="DIR", help="Storage root.")
@output.json_option
@with_hive
async def add(actor: Actor, name: str, host: str, port: int | None, root: Path | None) -> None:
    """Add a location."""
    info = await locations.add_location(
        actor, AddLocation(name=name, host=host, port=port, root=root)
    )
    output.show_done(_document(info), f"Location {info.name} was added, at {info.root}.")


@location.command("list")
@output.list_options
@with_hive
async def list_(actor: Actor) -> None:
    """List all locations."""
    await places.look_at_all()
    infos = await locations.list_locations(actor)
    output.show_list(
        [_document(info) for info in infos],
        {
            "ID": lambda info: info.id,
            "NAME": lambda info: info.name,
            "HOST": lambda info: info.host,
            "PORT": lambda info: info.port,
            "ROOT": lambda info: info.root,
            "DEFAULT": lambda info: info.is_default,
            "REPOSITORIES": lambda info: info.repositories,
            "FREE": lambda info: output.size(info.free_bytes),
            "STORAGE": lambda info: "unavailable" if info.problem else "ok",
        },
        infos,
        details=("REPOSITORIES", "DEFAULT", "PORT", "ROOT", "ID"),
    )


@location.command("set")
@click.argument("reference", metavar="LOCATION")
@click.option("--host", help="Host name that clients connect to.")
@click.option("--port", type=values.PORT, help="Port that clients connect to.")
@click.option("--default", is_flag=True, help="Create new repositories here.")
@output.json_option
@with_hive
async def set_(
    actor: Actor, reference: str, host: str | None, port: int | None, default: bool
) -> None:
    """Change a location. Options that are left out change nothing; the root cannot change."""
    found = await locations.find_location(actor, reference)
    if not output.is_anything_asked():
        output.show_unchanged(_document(found))
        return
    info = await locations.change_location(
        actor, found.id, ChangeLocation(host=host, port=port, is_default=default)
    )
    output.show_done(_document(info), f"Location {info.name} was changed.")


@location.command("adopt")
@click.argument("reference", metavar="LOCATION")
@output.json_option
@with_hive
async def adopt(actor: Actor, reference: str) -> None:
    """Accept what is at the storage root now as the storage of this location."""
    found = await locations.find_location(actor, reference)
    info = await claiming.adopt(actor, found.id)
    output.show_done(_document(info), _claimed(info, "was adopted"))


@location.command("take-over")
@click.argument("reference", metavar="LOCATION")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output.json_option
@with_hive
async def take_over(actor: Actor, reference: str, yes: bool) -> None:
    """Take over a storage root that belongs to another installation."""
    found = await locations.find_location(actor, reference)
    if not yes:
        confirming.by_name(
            found.name,
            f"{_WARNING}\nType the name of the location to take it over",
            without_terminal=f"{_WARNING} Without a terminal, this needs --yes.",
        )
    info = await claiming.take_over(actor, found.id)
    output.show_done(_document(info), _claimed(info, "was taken over"))


def _claimed(info: LocationInfo, what: str) -> str:
    if info.problem is not None:
        return f"The storage of {info.name} {what}. But: {info.problem}"
    return f"The storage of {info.name} {what}: its repositories are served again."


@location.command("delete")
@click.argument("reference", metavar="LOCATION")
@output.json_option
@with_hive
async def delete(actor: Actor, reference: str) -> None:
    """Delete a location that has no repositories."""
    found = await locations.find_location(actor, reference)
    await locations.delete_location(actor, found.id)
    output.show_done(_document(found), f"Location {found.name} was deleted.")
