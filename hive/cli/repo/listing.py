"""hive repo list."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from hive.cli import output
from hive.cli.repo.documents import document, lock_mark
from hive.cli.repo.health import health_document
from hive.cli.running import with_hive
from hive.cli.words import STATES, condition_named, condition_word
from hive.errors import InvalidInput
from hive.services.health import infos as health_info
from hive.services.health.infos import HealthInfo
from hive.services.health.states import condition_of
from hive.services.permissions import Actor
from hive.services.repositories import catalogue, locks
from hive.services.repositories.infos import RepositoryInfo

_STATE = click.Choice([*STATES, "unwatched"])
# What comes last into a table that has to fit a terminal.
_DETAILS = ("NEXT EXPECTED", "TAGS", "SCHEDULE", "LOCK", "ID", "LOGIN", "MODE", "CONTENT")


@click.command("list")
@click.option("--state", "states", type=_STATE, multiple=True, help="Show only this state.")
@click.option("--owner", "owners", metavar="USER", multiple=True, help="Show only this owner's.")
@click.option("--tag", "tags", metavar="T", multiple=True, help="Show only those with this tag.")
@click.option("--trash", "deleted", is_flag=True, help="List the trash instead.")
@output.list_options
@with_hive
async def list_(
    actor: Actor,
    *,
    states: tuple[str, ...],
    owners: tuple[str, ...],
    tags: tuple[str, ...],
    deleted: bool,
) -> None:
    """List repositories.

    A repository is shown if it has one of the states, one of the owners and all of the tags.
    """
    is_filtered = bool(states or owners or tags)
    if is_filtered and deleted:
        raise InvalidInput("The trash is listed as a whole: leave out --state, --owner and --tag.")
    infos = await catalogue.list_repositories(actor, deleted=deleted)
    if is_filtered:
        found = await _matching(actor, states, owners, tags)
        infos = [info for info in infos if info.id in found]
    marks = {info.id: lock_mark(await asyncio.to_thread(locks.look, info.path)) for info in infos}
    healths = await health_info.health_infos(actor, [info.id for info in infos])
    output.show_list(
        [document(info) | health_document(healths[info.id]) for info in infos],
        _columns(healths, marks, deleted=deleted),
        infos,
        details=_DETAILS,
    )
    if is_filtered and not infos:
        output.say("No matching repositories.")


async def _matching(
    actor: Actor, states: Sequence[str], owners: Sequence[str], tags: Sequence[str]
) -> set[int]:
    from hive.services.accounts import users  # noqa: PLC0415 - the list of all needs neither
    from hive.services.overview import filters  # noqa: PLC0415

    wanted = filters.RepositoryFilter(
        states=[condition_named(word) for word in states],
        owners=[(await users.find_user(actor, name)).name for name in owners],
        tags=tags,
    )
    return await filters.matching(actor, wanted)


def _columns(
    healths: Mapping[int, HealthInfo], marks: Mapping[int, str], *, deleted: bool
) -> dict[str, Callable[[RepositoryInfo], Any]]:
    columns: dict[str, Callable[[RepositoryInfo], Any]] = {
        "ID": lambda info: info.id,
        "OWNER": lambda info: info.owner,
        "NAME": lambda info: info.name,
        "LOGIN": lambda info: info.login,
        "MODE": lambda info: info.mode,
        "CONTENT": lambda info: info.state,
        "STATE": lambda info: state_word(info, healths[info.id]),
        "SCHEDULE": lambda info: healths[info.id].schedule.in_words,
        "NEXT EXPECTED": lambda info: healths[info.id].due_at,
        "SIZE": lambda info: output.size(info.size_bytes),
        "LOCK": lambda info: marks[info.id],
        "LAST BACKUP": lambda info: info.last_backup_at,
        "TAGS": lambda info: healths[info.id].tags,
    }
    return columns | ({"DELETED": lambda info: info.deleted_at} if deleted else {})


def state_word(info: RepositoryInfo, health: HealthInfo) -> str:
    """'late', 'backing up': the one state that is shown of a repository."""
    return condition_word(
        condition_of(
            health.state,
            info.maintenance,
            is_backing_up=health.is_backing_up,
            is_deleted=info.deleted_at is not None,
        )
    )
