"""hive repo pause and the like, and the options of a schedule that repo add and set share."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

import click

from hive import clock
from hive.cli import output, values
from hive.cli.repo.health import health_document
from hive.cli.running import with_hive
from hive.formats import moment
from hive.services.health import infos as health_info
from hive.services.health import schedules
from hive.services.health.schedules import ScheduleChange
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from hive.services.sessions import small_backups

Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--no-schedule", is_flag=True, help="Expect no backups."),
    click.option(
        "--every", type=values.DURATION, help="Expected interval between backups: 1d, 12h, ..."
    ),
    click.option("--cron", metavar="EXPRESSION", help="Expected times of backups: '0 3 * * *'."),
    click.option(
        "--timezone",
        metavar="ZONE",
        help="Time zone of --cron, for example Europe/Berlin; default: the owner's.",
    ),
    click.option(
        "--grace",
        type=values.GRACE,
        metavar="SPAN",
        help="How late a backup may be: 6h, default, ...",
    ),
    click.option("--tag", "tags", metavar="T", multiple=True, help="Add a tag."),
)


def schedule_options(function: Function) -> Function:
    """Let a command take what `change_of` reads."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def change_of(given: dict[str, Any]) -> ScheduleChange:
    """What the options say of the schedule; they are taken out of `given`."""
    grace = given.pop("grace")
    return ScheduleChange(
        every=given.pop("every"),
        cron=given.pop("cron"),
        timezone=given.pop("timezone"),
        no_schedule=given.pop("no_schedule", False),
        grace=grace if isinstance(grace, timedelta) else None,
        default_grace=grace == values.DEFAULT,
    )


def _until_options(function: Function) -> Function:
    for option in (
        click.option("--for", "span", type=values.DURATION, metavar="SPAN", help="3d, 12h, ..."),
        click.option("--until", type=values.WHEN, help="2027-01-31, 2027-01-31T18:00:00Z, +3d."),
    ):
        function = option(function)
    return function


def _end(until: datetime | None, span: timedelta | None) -> datetime:
    if (until is None) == (span is None):
        raise click.UsageError("Give either --until WHEN or --for SPAN.")
    return until if until is not None else clock.now() + (span or timedelta(0))


def _change(
    name: str,
    text: str,
    change: Callable[[Actor, int], Coroutine[Any, Any, Any]],
    message: str,
) -> click.Command:
    """A command that names a repository and nothing else."""

    @click.command(name, help=text)
    @click.argument("reference", metavar="R")
    @output.json_option
    @with_hive
    async def command(actor: Actor, reference: str) -> None:
        found = await catalogue.find_repository(actor, reference)
        await change(actor, found.id)
        await _done(actor, found.id, message.format(found.name))

    return command


resume = _change("resume", "End a pause.", schedules.resume, "{} is no longer paused.")
unmute = _change("unmute", "End a mute.", schedules.unmute, "{} is no longer muted.")
acknowledge = _change(
    "acknowledge",
    "Acknowledge a missing backup; reminders stop.",
    schedules.acknowledge,
    "The missing backup of {} was acknowledged.",
)
dismiss = _change(
    "dismiss",
    "Confirm that an unusually small backup is correct.",
    small_backups.dismiss,
    "The small backup of {} was confirmed.",
)


@click.command("pause")
@click.argument("reference", metavar="R")
@_until_options
@output.json_option
@with_hive
async def pause(
    actor: Actor, reference: str, until: datetime | None, span: timedelta | None
) -> None:
    """Expect no backups for a while."""
    end = _end(until, span)
    found = await catalogue.find_repository(actor, reference)
    await schedules.pause(actor, found.id, end)
    await _done(actor, found.id, f"{found.name} is paused until {moment(end)}.")


@click.command("mute")
@click.argument("reference", metavar="R")
@_until_options
@output.json_option
@with_hive
async def mute(
    actor: Actor, reference: str, until: datetime | None, span: timedelta | None
) -> None:
    """Send no notifications about missing backups for a while.

    Backups that are still missing at the end are reported then.
    """
    end = _end(until, span)
    found = await catalogue.find_repository(actor, reference)
    await schedules.mute(actor, found.id, end)
    await _done(actor, found.id, f"{found.name} is muted until {moment(end)}.")


async def _done(actor: Actor, repository_id: int, message: str) -> None:
    info = await health_info.health_info(actor, repository_id)
    found = await catalogue.find_repository_by_id(actor, repository_id)
    head = {"id": found.id, "name": found.name, "login": found.login}
    output.show_done(head | health_document(info), message)
