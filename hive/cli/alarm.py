"""The commands below hive alarm."""

from __future__ import annotations

from typing import Any

import click

from hive.cli import output, values
from hive.cli.repo.health import alarm_document
from hive.cli.running import with_hive
from hive.services.alarms import answers
from hive.services.alarms.alarms import AlarmInfo
from hive.services.permissions import Actor
from hive.services.repositories import catalogue


@click.group()
def alarm() -> None:
    """Alarms about repositories."""


def _with_answer(info: AlarmInfo) -> dict[str, Any]:
    return {
        **alarm_document(info),
        "repository_id": info.repository_id,
        "answered_at": output.time(info.answered_at),
        "answered_by": info.answered_by,
    }


@alarm.command("list")
@click.option("--repo", metavar="R", help="Show only this repository.")
@click.option("--answered", is_flag=True, help="Show answered alarms instead.")
@output.list_options
@with_hive
async def list_(actor: Actor, repo: str | None, answered: bool) -> None:
    """List alarms, the newest first."""
    found = await catalogue.find_repository(actor, repo) if repo else None
    infos = await answers.list_alarms(
        actor, repository_id=found.id if found else None, answered=answered
    )
    names = await catalogue.references_of(actor, [info.repository_id for info in infos])
    output.show_list(
        [_with_answer(info) for info in infos],
        {
            "ID": lambda info: info.id,
            "SINCE": lambda info: info.since,
            "REPOSITORY": lambda info: names.get(info.repository_id),
            "KIND": lambda info: info.kind,
            "TIMES": lambda info: info.count,
            "TO ANSWER": lambda info: info.is_critical,
            **({"ANSWERED BY": lambda info: info.answered_by} if answered else {}),
            "MESSAGE": lambda info: info.message,
        },
        infos,
        details=("TIMES", "TO ANSWER"),
    )


@alarm.command("answer")
@click.argument("alarm_id", metavar="ID", type=values.ID)
@click.option(
    "--seen", type=click.IntRange(1), help="The count that you saw; later occurrences stay open."
)
@output.json_option
@with_hive
async def answer(actor: Actor, alarm_id: int, seen: int | None) -> None:
    """Acknowledge an alarm; its repository is no longer critical."""
    info = await answers.answer(actor, alarm_id, seen=seen)
    still = " It has happened again since, and that stays open." if info.is_critical else ""
    output.show_done(_with_answer(info), f"Alarm {alarm_id} was answered.{still}")
