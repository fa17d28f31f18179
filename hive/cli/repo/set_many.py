"""hive repo set-many: the same change of many repositories, with a preview."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import click

from hive import clock
from hive.cli import output, values
from hive.cli.repo.schedule import change_of, schedule_options
from hive.cli.running import with_hive
from hive.cli.words import STATES, condition_named
from hive.errors import Conflict
from hive.formats import format_size
from hive.kinds import ShareLevel
from hive.services.accounts import users
from hive.services.lifecycle import bulk
from hive.services.lifecycle.bulk import ChangeMany, Difference, Part, Preview
from hive.services.notifications import channels
from hive.services.overview import filters
from hive.services.permissions import Actor
from hive.services.repositories import catalogue


@click.command("set-many")
@click.argument("references", metavar="[R]...", nargs=-1)
@click.option("--all", "are_all", is_flag=True, help="Change all repositories.")
@click.option("--with-tag", "with_tags", metavar="T", multiple=True, help="Those with this tag.")
@click.option("--of-owner", "of_owners", metavar="USER", multiple=True, help="This owner's.")
@click.option(
    "--in-state",
    "in_states",
    type=click.Choice([*STATES, "unwatched"]),
    multiple=True,
    help="Those in this state.",
)
@click.option("--owner", metavar="USER", help="Transfer them to another user.")
@click.option("--quota", type=values.LIMIT, metavar="SIZE", help="500GB, 2TiB, none, ...")
@click.option("--group", "groups", metavar="G", multiple=True, help="Share them with this group.")
@click.option("--share-level", type=values.LEVEL, default=ShareLevel.MANAGE.value)
@click.option("--remove-group", "remove_groups", metavar="G", multiple=True)
@schedule_options
@click.option("--untag", "untags", metavar="T", multiple=True)
@click.option("--pause", type=values.DURATION, metavar="SPAN", help="Expect no backups for 3d, ...")
@click.option("--resume", is_flag=True, help="End a pause.")
@click.option("--channel", metavar="C", help="Notify the owner of this channel by it as well.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@output.list_options
@click.pass_context
def set_many(context: click.Context, /, **given: Any) -> None:  # noqa: ANN401 - click's own values
    """Change many repositories in the same way.

    Name them, or choose them with filters, which all have to match. Each is changed as a whole; if
    one is refused, the others are changed anyway.
    """
    given["no_quota"] = values.is_given_as_none(context, "quota")
    _set_many(given)


@with_hive
async def _set_many(actor: Actor, given: dict[str, Any]) -> None:
    dry_run = given.pop("dry_run")
    ids = await _chosen(actor, given)
    channel = given.pop("channel")
    wanted = _change(given) | {
        "channel_id": None if channel is None else (await channels.find(actor, channel)).id
    }
    batches = [
        ChangeMany(repository_ids=ids[start : start + bulk.MAX_REPOSITORIES], **wanted)
        for start in range(0, max(len(ids), 1), bulk.MAX_REPOSITORIES)
    ]
    previews = [one for batch in batches for one in await bulk.preview_many(actor, batch)]
    refused = sum(one.refusal is not None for one in previews)
    if not dry_run:
        done = [await bulk.change_many(actor, batch) for batch in batches]
        refused = sum(len(one.refusals) for one in done)
    _show(previews)
    changed = sum(bool(one.differences) for one in previews)
    verb = "would be changed" if dry_run else "were changed"
    output.say(f"{changed} of {len(previews)} repositories {verb}, {refused} refused.")
    if refused and not dry_run:
        raise Conflict("Not all repositories could be changed.")


async def _chosen(actor: Actor, given: dict[str, Any]) -> list[int]:
    references, are_all = given.pop("references"), given.pop("are_all")
    with_tags, of_owners = given.pop("with_tags"), given.pop("of_owners")
    in_states = given.pop("in_states")
    is_filtered = bool(with_tags or of_owners or in_states)
    if are_all + bool(references) + is_filtered != 1:
        raise click.UsageError("Name repositories, or filter them, or give --all.")
    if references:
        found = [await catalogue.find_repository(actor, one) for one in references]
        return [one.id for one in found]
    wanted = filters.RepositoryFilter(
        states=[condition_named(word) for word in in_states],
        owners=[(await users.find_user(actor, name)).name for name in of_owners],
        tags=with_tags,
    )
    ids = sorted(await filters.matching(actor, wanted))
    if not ids:
        raise Conflict("No matching repositories.")
    return ids


def _change(given: dict[str, Any]) -> dict[str, Any]:
    level = ShareLevel(given.pop("share_level"))
    pause: timedelta | None = given.pop("pause")
    levels: dict[str, ShareLevel | None] = dict.fromkeys(given.pop("groups"), level)
    levels |= dict.fromkeys(given.pop("remove_groups"))
    return {
        "schedule": change_of(given),
        "add_tags": given.pop("tags"),
        "remove_tags": given.pop("untags"),
        "pause_until": None if pause is None else clock.now() + pause,
        "resume": given.pop("resume"),
        "owner": given.pop("owner"),
        "quota_bytes": given.pop("quota"),
        "no_quota": given.pop("no_quota"),
        "share_levels": levels,
    }


def _show(previews: Sequence[Preview]) -> None:
    lines = list(_lines(previews))
    output.show_list(
        [
            {
                "id": one.repository_id,
                "name": one.name,
                "refusal": one.refusal,
                "changes": [
                    {"what": found.part, "former": _text(found, found.former)}
                    | {"new": _text(found, found.new)}
                    for found in one.differences
                ],
            }
            for one in previews
        ],
        {
            "NAME": lambda line: line[0],
            "WHAT": lambda line: line[1],
            "NOW": lambda line: line[2],
            "THEN": lambda line: line[3],
        },
        lines,
    )


def _lines(previews: Sequence[Preview]) -> Iterable[tuple[str, str, str, str]]:
    for one in previews:
        for found in one.differences:
            former, new = (_text(found, value) for value in (found.former, found.new))
            yield one.name, found.part, former or "-", new or "-"
        if one.refusal is not None:
            yield one.name, "refused", "", one.refusal


def _text(found: Difference, value: Any) -> str | None:  # noqa: ANN401 - a value of a difference
    if value is None or value == ():
        return None
    match found.part:
        case Part.QUOTA:
            return format_size(value)
        case Part.PAUSE:
            return output.time(value)
        case Part.SHARES:
            return ", ".join(f"{group} ({level})" for group, level in value)
        case Part.TAGS | Part.CHANNELS:
            return ", ".join(value)
        case _:
            return str(value)
