"""hive repo show."""

from __future__ import annotations

from typing import Any

import click

from hive.cli import output
from hive.cli.repo.documents import document, fields, headline
from hive.cli.repo.health import (
    health_document,
    proposal_document,
    proposal_fields,
    schedule_fields,
)
from hive.cli.repo.insight import (
    former_paths_document,
    former_paths_fields,
    insight_document,
    insight_fields,
    occupancy_document,
    occupancy_fields,
)
from hive.cli.running import with_hive
from hive.services.health import infos as health_info
from hive.services.health import proposals
from hive.services.measurements import insights
from hive.services.notifications import reach
from hive.services.overview import occupancy
from hive.services.permissions import Actor
from hive.services.repositories import catalogue, former_paths


@click.command("show")
@click.argument("reference", metavar="R")
@click.option("--trash", "deleted", is_flag=True, help="Show a repository in the trash.")
@output.json_option
@with_hive
async def show(actor: Actor, reference: str, deleted: bool) -> None:
    """Show one repository."""
    info = await catalogue.find_repository(actor, reference, deleted=deleted)
    insight = await insights.insight_of(info)
    health = await health_info.health_info(actor, info.id)
    paths = [] if deleted else await former_paths.list_former_paths(actor, info.id)
    room = await occupancy.look(actor, info)
    proposal = await proposals.observed(info.id)
    found = await reach.reach(actor, info.id)
    output.show_one(
        document(info)
        | health_document(health)
        | proposal_document(proposal)
        | {"would_notify": None if found is None else reach_document(found)}
        | insight_document(insight)
        | former_paths_document(paths)
        | occupancy_document(room),
        headline(info, health)
        | occupancy_fields(room)
        | schedule_fields(health)
        | proposal_fields(info.login, proposal)
        | ({} if found is None else {"would notify": found.words})
        | {"tags": ", ".join(health.tags)}
        | insight_fields(insight)
        | fields(info)
        | former_paths_fields(paths),
    )


def reach_document(found: reach.Reach) -> dict[str, Any]:
    """Who would be notified if the repository went down."""
    return {
        "people": [{"name": one.name, "ways": list(one.ways)} for one in found.people],
        "others": found.others,
        "words": found.words,
    }
