"""The commands below hive key."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from hive.cli import output, values
from hive.cli.running import with_hive
from hive.kinds import ShareLevel
from hive.services.keys import keys, replacing, revocation
from hive.services.keys.infos import KeyInfo
from hive.services.keys.keys import AddKey, ChangeKey
from hive.services.keys.replacing import ReplaceKey
from hive.services.permissions import Actor
from hive.services.sessions import key_places
from hive.services.sessions.key_places import KeyPlace


@click.group()
def key() -> None:
    """Public keys that clients log in with."""


def _document(info: KeyInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "name": info.name,
        "owner": info.owner,
        "type": info.type,
        "bits": info.bits,
        "fingerprint": info.fingerprint,
        "comment": info.comment,
        "public_key": info.line,
        "enabled": info.enabled,
        "owner_enabled": info.owner_enabled,
        "same_key": [
            {"id": t.key_id, "name": t.name, "owner": t.owner, "enabled": t.enabled}
            for t in info.twins
        ],
        "expires_at": output.time(info.expires_at),
        "networks": list(info.networks),
        "groups": list(info.groups),
        "last_used_at": output.time(info.last_used_at),
        "created_at": output.time(info.created_at),
        "repositories": [
            {"id": u.repository_id, "name": u.repository, "login": u.login, "access": u.access}
            for u in info.uses
        ],
    }


def _uses(info: KeyInfo) -> list[str]:
    return [f"{use.repository} ({use.login}), {use.access}" for use in info.uses]


def _place(place: KeyPlace) -> dict[str, Any]:
    return {
        "repository_id": place.repository_id,
        "repository": place.repository,
        "used_at": output.time(place.used_at),
        "used_from": place.used_from or None,
        "refused_at": output.time(place.refused_at),
        "refused_from": place.refused_from or None,
        "refusals": place.refusals,
    }


def _place_lines(place: KeyPlace) -> list[str]:
    used, refused = output.time(place.used_at), output.time(place.refused_at)
    lines = [f"{place.repository}: used {used} from {place.used_from}"] if used else []
    if refused:
        lines.append(f"{place.repository}: refused {refused} from {place.refused_from}")
    return lines


def _twins(info: KeyInfo) -> list[str]:
    return [
        f"{twin.owner}/{twin.name}{'' if twin.enabled else ' (disabled)'}" for twin in info.twins
    ]


@key.command("add")
@click.argument("name")
@click.argument("file")
@click.option("--owner", required=True, metavar="USER")
@click.option("--expires", type=values.WHEN, metavar="WHEN", help="2027-01-31, +90d or never.")
@click.option(
    "--from",
    "networks",
    metavar="NETWORK",
    multiple=True,
    help="Accept the key from this network only.",
)
@click.option("--group", "groups", metavar="GROUP", multiple=True, help="Share it with this group.")
@output.json_option
@with_hive
async def add(
    actor: Actor,
    *,
    name: str,
    file: str,
    owner: str,
    expires: datetime | None,
    networks: tuple[str, ...],
    groups: tuple[str, ...],
) -> None:
    """Add the public key in FILE (- for standard input)."""
    wanted = AddKey(
        name=name,
        owner=owner,
        text=values.read_text(file),
        expires_at=expires,
        networks=networks,
        groups=groups,
    )
    info = await keys.add_key(actor, wanted)
    output.show_done(_document(info), f"Key {info.name} was added: {info.fingerprint}")


def _enabled(info: KeyInfo) -> object:
    if info.owner_enabled:
        return info.enabled
    return "owner disabled" if info.is_owner_disabled else "owner's keys disabled"


@key.command("list")
@output.list_options
@with_hive
async def list_(actor: Actor) -> None:
    """List all keys."""
    infos = await keys.list_keys(actor)
    output.show_list(
        [_document(info) for info in infos],
        {
            "ID": lambda info: info.id,
            "OWNER": lambda info: info.owner,
            "NAME": lambda info: info.name,
            "TYPE": lambda info: info.type,
            "FINGERPRINT": lambda info: info.fingerprint,
            "ENABLED": _enabled,
            "SAME KEY": lambda info: ", ".join(_twins(info)),
            "EXPIRES": lambda info: info.expires_at,
            "LAST USED": lambda info: info.last_used_at,
            "OPENS": lambda info: len(info.uses),
        },
        infos,
        details=("LAST USED", "EXPIRES", "FINGERPRINT", "TYPE", "SAME KEY", "ID"),
    )


@key.command("show")
@click.argument("reference", metavar="KEY")
@output.json_option
@with_hive
async def show(actor: Actor, reference: str) -> None:
    """Show one key and the repositories that it can access."""
    info = await keys.find_key(actor, reference)
    places = await key_places.places_of_key(actor, info.id)
    document = _document(info) | {"places": [_place(one) for one in places.values()]}
    same_key = _twins(info) or "nowhere else"
    fields = {
        **document,
        "same_key": same_key,
        "networks": info.networks or "anywhere",
        "repositories": _uses(info),
        "places": [line for one in places.values() for line in _place_lines(one)] or "nowhere",
    }
    output.show_one(document, fields)


@key.command("set")
@click.argument("reference", metavar="KEY")
@click.option("--name", help="A new name.")
@click.option("--enable/--disable", "enabled", default=None)
@click.option("--expires", type=values.WHEN, metavar="WHEN", help="2027-01-31, +90d or never.")
@click.option(
    "--from",
    "networks",
    metavar="NETWORK",
    multiple=True,
    help="Accept the key from this network only.",
)
@click.option("--from-anywhere", is_flag=True, help="Accept the key from any network.")
@click.option("--group", "groups", metavar="GROUP", multiple=True, help="Share it with this group.")
@click.option("--share-level", type=values.LEVEL, default=ShareLevel.MANAGE.value)
@click.option(
    "--share-until", type=values.WHEN, metavar="WHEN", help="When the new shares end: +30d, ..."
)
@click.option(
    "--remove-group", metavar="GROUP", multiple=True, help="Stop sharing it with this group."
)
@output.json_option
@click.pass_context
def set_(context: click.Context, /, **given: Any) -> None:  # noqa: ANN401 - click's own values
    """Change a key. Options that are left out change nothing.

    Sessions that lose their access end.
    """
    source = context.get_parameter_source("expires")
    if given["networks"] and given["from_anywhere"]:
        raise click.UsageError("Use either --from or --from-anywhere.")
    given["expires_is_given"] = source is click.core.ParameterSource.COMMANDLINE
    _change(**given)


@with_hive
async def _change(
    actor: Actor,
    *,
    reference: str,
    name: str | None,
    enabled: bool | None,
    expires: datetime | None,
    expires_is_given: bool,
    networks: tuple[str, ...],
    from_anywhere: bool,
    groups: tuple[str, ...],
    share_level: str,
    share_until: datetime | None,
    remove_group: tuple[str, ...],
) -> None:
    found = await keys.find_key(actor, reference)
    if not output.is_anything_asked():
        output.show_unchanged(_document(found))
        return
    wanted = ChangeKey(
        name=name,
        enabled=enabled,
        expires_at=expires,
        never_expires=expires_is_given and expires is None,
        networks=networks if networks or from_anywhere else None,
        share_with=groups,
        share_level=ShareLevel(share_level),
        share_until=share_until,
        unshare_from=remove_group,
    )
    info = await keys.change_key(actor, found.id, wanted)
    output.show_done(_document(info), f"Key {info.name} was changed.")


@key.command("disable")
@click.argument("reference", metavar="KEY")
@click.option(
    "--everywhere",
    is_flag=True,
    help="Disable this public key under every owner; KEY is its fingerprint.",
)
@output.json_option
@with_hive
async def disable(actor: Actor, *, reference: str, everywhere: bool) -> None:
    """Disable a key and end its sessions."""
    if everywhere:
        infos = await revocation.disable_everywhere(actor, reference)
        names = ", ".join(f"{info.owner}/{info.name}" for info in infos)
        message = f"Disabled: {names}." if infos else "It is already disabled everywhere."
        output.show_done({"keys": [_document(info) for info in infos]}, message)
        return
    found = await keys.find_key(actor, reference)
    info = await keys.change_key(actor, found.id, ChangeKey(enabled=False))
    also = [f"{twin.owner}/{twin.name}" for twin in info.twins if twin.enabled]
    hint = (
        f" The same key is still enabled as {', '.join(also)}: disable it with --everywhere"
        f" {info.fingerprint}."
        if also
        else ""
    )
    output.show_done(_document(info), f"Key {info.name} was disabled.{hint}")


@key.command("replace")
@click.argument("reference", metavar="KEY")
@click.argument("file")
@click.option("--delete", "delete_old", is_flag=True, help="Delete the old key.")
@click.option("--expires", type=values.WHEN, metavar="WHEN", help="2027-01-31, +90d or never.")
@click.option(
    "--keep-until",
    type=values.WHEN,
    metavar="WHEN",
    help="Let the old key open the same until then: +14d, 2027-01-31.",
)
@output.json_option
@with_hive
async def replace(
    actor: Actor,
    *,
    reference: str,
    file: str,
    delete_old: bool,
    expires: datetime | None,
    keep_until: datetime | None,
) -> None:
    """Let the public key in FILE (- for standard input) take over all that KEY opens.

    KEY opens nothing any more: it is disabled, or deleted, and its sessions end. With
    --keep-until it stays valid for a while; `hive key show` says where it is still used.
    """
    found = await keys.find_key(actor, reference)
    wanted = ReplaceKey(
        public_key=values.read_text(file),
        expires_at=expires,
        delete_old=delete_old,
        keep_until=keep_until,
    )
    made = await replacing.replace_key(actor, found.id, wanted)
    message = (
        f"Key {made.key.name} was replaced by {made.key.fingerprint}."
        f" Repositories that it has taken over: {made.taken_over}."
    )
    output.show_done(_document(made.key), message)


@key.command("delete")
@click.argument("reference", metavar="KEY")
@output.json_option
@with_hive
async def delete(actor: Actor, reference: str) -> None:
    """Delete a key and its access to repositories."""
    found = await keys.find_key(actor, reference)
    await keys.delete_key(actor, found.id)
    opened = (
        f" It had access to: {'; '.join(_uses(found))}."
        if found.uses
        else " It had access to no repository."
    )
    output.show_done(_document(found), f"Key {found.name} was deleted.{opened}")
