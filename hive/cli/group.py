"""The commands below hive group."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from hive.cli import output, values
from hive.cli.running import with_hive
from hive.services.accounts import changing, groups
from hive.services.accounts.groups import AddGroup, ChangeGroup, GroupInfo
from hive.services.permissions import Actor


@click.group()
def group() -> None:
    """Groups of users, to share repositories and keys with."""


def _document(info: GroupInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "name": info.name,
        "members": list(info.members),
        "created_at": output.time(info.created_at),
        "quota_bytes": info.quota_bytes,
        "leads": list(info.leads),
        "member_ends": {name: output.time(end) for name, end in info.ends.items()},
        "max_repositories": info.max_repositories,
        "requires_second_factor": info.requires_second_factor,
    }


@group.command("add")
@click.argument("name")
@click.option("--member", "members", metavar="USER", multiple=True)
@output.json_option
@with_hive
async def add(actor: Actor, name: str, members: tuple[str, ...]) -> None:
    """Add a group."""
    info = await groups.add_group(actor, AddGroup(name=name, members=members))
    output.show_done(_document(info), f"Group {info.name} was added.")


@group.command("list")
@output.list_options
@with_hive
async def list_(actor: Actor) -> None:
    """List all groups."""
    infos = await groups.list_groups(actor)
    output.show_list(
        [_document(info) for info in infos],
        {
            "ID": lambda info: info.id,
            "NAME": lambda info: info.name,
            "MEMBERS": lambda info: info.members,
            "QUOTA": lambda info: output.size(info.quota_bytes),
        },
        infos,
        details=("ID",),
    )


@group.command("set")
@click.argument("reference", metavar="GROUP")
@click.option("--name", help="A new name.")
@click.option("--add-member", metavar="USER", multiple=True)
@click.option("--remove-member", metavar="USER", multiple=True)
@click.option(
    "--add-lead", metavar="USER", multiple=True, help="A member who manages members and shares."
)
@click.option("--remove-lead", metavar="USER", multiple=True)
@click.option(
    "--member-until",
    type=(str, values.WHEN),
    metavar="USER WHEN",
    multiple=True,
    help="When a membership ends: +30d, 2027-01-31, never.",
)
@click.option(
    "--max-repositories",
    type=values.COUNT,
    metavar="N",
    help="How many repositories the members may own together, or none: no limit.",
)
@click.option(
    "--require-second-factor/--no-require-second-factor",
    default=None,
    help="Whether members need a second factor to log in to the pages.",
)
@click.option(
    "--quota",
    type=values.LIMIT,
    metavar="SIZE",
    help="For all repositories that the members own: 500GB, 2TiB, none, ...",
)
@output.json_option
@click.pass_context
def set_(context: click.Context, /, **given: Any) -> None:  # noqa: ANN401 - click's own values
    """Change a group. Options that are left out change nothing."""
    _set(
        **given,
        no_quota=values.is_given_as_none(context, "quota"),
        no_max_repositories=values.is_given_as_none(context, "max_repositories"),
    )


@with_hive
async def _set(
    actor: Actor,
    /,
    *,
    reference: str,
    name: str | None,
    add_member: tuple[str, ...],
    remove_member: tuple[str, ...],
    add_lead: tuple[str, ...],
    remove_lead: tuple[str, ...],
    member_until: tuple[tuple[str, datetime | None], ...],
    quota: int | None,
    no_quota: bool,
    max_repositories: int | None,
    no_max_repositories: bool,
    require_second_factor: bool | None,
) -> None:
    found = await groups.find_group(actor, reference)
    if not output.is_anything_asked():
        output.show_unchanged(_document(found))
        return
    wanted = ChangeGroup(
        name=name,
        add_members=add_member,
        remove_members=remove_member,
        add_leads=add_lead,
        remove_leads=remove_lead,
        member_ends=dict(member_until),
        max_repositories=max_repositories,
        no_max_repositories=no_max_repositories,
        requires_second_factor=require_second_factor,
        quota_bytes=quota,
        no_quota=no_quota,
    )
    changed = await changing.change_group(actor, found.id, wanted)
    output.show_done(_document(changed.group), f"Group {changed.group.name} was changed.")
    output.warn_of(changed.quota_use)


@group.command("delete")
@click.argument("reference", metavar="GROUP")
@output.json_option
@with_hive
async def delete(actor: Actor, reference: str) -> None:
    """Delete a group; what was shared with it is no longer shared."""
    found = await groups.find_group(actor, reference)
    await groups.delete_group(actor, found.id)
    output.show_done(_document(found), f"Group {found.name} was deleted.")
