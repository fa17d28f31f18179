"""hive user preferences: reminders, digests and shared repositories."""

from __future__ import annotations

from typing import Any

import click

from hive.cli import output
from hive.cli.running import with_hive
from hive.kinds import Digest, Rest
from hive.services.notifications import preferences as service
from hive.services.permissions import Actor

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@click.command("preferences")
@click.argument("name")
@click.option("--reminder-hours", type=int, metavar="1-48", help="Hours between two reminders.")
@click.option(
    "--expiration-days", type=int, metavar="1-30", help="Days after which reminders stop."
)
@click.option("--told-of-shared/--not-told-of-shared", "is_told_of_shared", default=None)
@click.option(
    "--told-of-critical/--not-told-of-critical",
    "is_told_of_critical",
    default=None,
    help="For administrators: notify about critical events of all repositories.",
)
@click.option(
    "--rest",
    type=click.Choice([one.value for one in Rest]),
    help="What to send if no rule matches.",
)
@click.option(
    "--mailed/--not-mailed",
    "is_mailed",
    default=None,
    help="Whether the user's own address receives mail.",
)
@click.option("--digest", type=click.Choice([one.value for one in Digest]))
@click.option("--digest-hour", type=int, metavar="0-23", help="In the user's time zone.")
@click.option("--digest-weekday", type=click.Choice(_DAYS))
@output.json_option
@with_hive
async def preferences(
    actor: Actor,
    /,
    *,
    name: str,
    digest: str | None,
    rest: str | None,
    digest_weekday: str | None,
    **given: Any,  # noqa: ANN401 - click's own values
) -> None:
    """Show or change which notifications a user receives."""
    values = {key: value for key, value in given.items() if value is not None}
    if digest is not None:
        values["digest"] = Digest(digest)
    if rest is not None:
        values["rest"] = Rest(rest)
    if digest_weekday is not None:
        values["digest_weekday"] = _DAYS.index(digest_weekday)
    found = (
        await service.change(actor, name, **values) if values else await service.get(actor, name)
    )
    document = service.as_document(found)
    shown = document | {"digest_weekday": _DAYS[found.digest_weekday]}
    output.show_one(document, shown)
