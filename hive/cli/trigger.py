"""The commands below hive trigger."""

from __future__ import annotations

from typing import Any

import click

from hive.cli import output, running, values
from hive.cli.running import with_hive
from hive.errors import Unavailable
from hive.kinds import TriggerKind, TriggerState
from hive.services import triggers
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from hive.services.triggers import AddTrigger, ChangeTrigger, TriggerInfo, TriggerRunInfo

KIND = click.Choice([kind.value for kind in TriggerKind])
REPO = click.option("--repo", metavar="R", help="Repository that the trigger belongs to.")
_SETTINGS = click.option(
    "--set",
    "pairs",
    metavar="KEY=VALUE",
    multiple=True,
    help="Set KEY=VALUE; an empty value removes it.",
)
_SECRET = click.option(
    "--secret-stdin", metavar="KEY", help="Read this setting's value from stdin."
)


@click.group()
def trigger() -> None:
    """Triggers that start a backup on a client."""


def _document(info: TriggerInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "repository": info.repository,
        "name": info.name,
        "kind": info.kind,
        "settings": dict(info.settings),
        "cron": info.cron,
        "timezone": info.timezone,
        "when_late": info.is_for_late,
        "enabled": info.enabled,
        "next_at": output.time(info.next_at),
        "created_at": output.time(info.created_at),
        "last_run": None if info.last_run is None else _run_document(info.last_run),
    }


def _run_document(info: TriggerRunInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "reason": info.reason,
        "asked_by": info.asked_by,
        "state": info.state,
        "started_at": output.time(info.started_at),
        "ended_at": output.time(info.ended_at),
        "external_id": info.external_id,
        "link": info.link,
        "message": info.message,
    }


def _fields(info: TriggerInfo) -> dict[str, Any]:
    last = info.last_run
    return {
        **_document(info),
        "settings": [f"{name} = {value}" for name, value in info.settings.items()],
        "last_run": None if last is None else _in_words(last),
    }


def _in_words(info: TriggerRunInfo) -> str:
    link = f" {info.link}" if info.link else ""
    message = " ".join(info.message.split())[:300]
    return f"{output.time(info.started_at)} {info.reason}: {info.state}. {message}{link}"


def _given(pairs: tuple[str, ...], secret: str | None) -> dict[str, str]:
    given = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--set takes KEY=VALUE, not {pair!r}.")
        given[name.strip()] = value
    if secret is not None:
        given[secret] = values.read_password(from_standard_input=True)
    return given


@trigger.command("add")
@click.argument("name")
@click.option("--repo", metavar="R", required=True)
@click.option("--kind", type=KIND, required=True)
@_SETTINGS
@_SECRET
@click.option("--cron", metavar="CRON", help="Call it at these times: '0 3 * * *'.")
@click.option(
    "--timezone",
    metavar="ZONE",
    help="Time zone of --cron, for example Europe/Berlin; default UTC.",
)
@click.option("--when-late", is_flag=True, help="Call it also when the backup is late.")
@output.json_option
@with_hive
async def add(
    actor: Actor,
    *,
    name: str,
    repo: str,
    kind: str,
    pairs: tuple[str, ...],
    secret_stdin: str | None,
    cron: str | None,
    timezone: str | None,
    when_late: bool,
) -> None:
    """Add a trigger to a repository. docs/how-to/triggers.md has the settings of each kind."""
    if timezone and not cron:
        raise click.UsageError("--timezone needs --cron.")
    found = await catalogue.find_repository(actor, repo)
    wanted = AddTrigger(
        name=name,
        kind=TriggerKind(kind),
        settings=_given(pairs, secret_stdin),
        cron=cron,
        timezone=timezone,
        is_for_late=when_late,
    )
    info = await triggers.add_trigger(actor, found.id, wanted)
    next_at = f" Next call: {output.time(info.next_at)}." if info.next_at else ""
    output.show_done(_document(info), f"Trigger {info.name} was added.{next_at}")


@trigger.command("list")
@REPO
@output.list_options
@with_hive
async def list_(actor: Actor, repo: str | None) -> None:
    """List triggers."""
    found = await catalogue.find_repository(actor, repo) if repo else None
    infos = await triggers.list_triggers(actor, repository_id=found.id if found else None)
    output.show_list(
        [_document(info) for info in infos],
        {
            "ID": lambda info: info.id,
            "REPOSITORY": lambda info: info.repository,
            "NAME": lambda info: info.name,
            "KIND": lambda info: info.kind,
            "CRON": lambda info: info.cron,
            "LATE": lambda info: info.is_for_late,
            "NEXT": lambda info: info.next_at if info.enabled else "disabled",
            "LAST": lambda info: info.last_run.state if info.last_run else None,
        },
        infos,
        details=("NEXT", "CRON", "LATE", "ID"),
    )


@trigger.command("show")
@click.argument("reference", metavar="NAME")
@REPO
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@output.json_option
@with_hive
async def show(actor: Actor, reference: str, repo: str | None, limit: int) -> None:
    """Show a trigger and its latest calls."""
    info = await _find(actor, reference, repo)
    runs = await triggers.list_runs(actor, info.id, limit=limit)
    document = {**_document(info), "runs": [_run_document(run) for run in runs]}
    output.show_one(document, {**_fields(info), "runs": [_in_words(run) for run in runs]})


async def _find(actor: Actor, reference: str, repo: str | None) -> TriggerInfo:
    found = await catalogue.find_repository(actor, repo) if repo else None
    return await triggers.find_trigger(actor, reference, repository_id=found.id if found else None)


@trigger.command("set")
@click.argument("reference", metavar="NAME")
@REPO
@click.option("--name", help="A new name.")
@_SETTINGS
@_SECRET
@click.option("--cron", metavar="CRON", help="Call it at these times; '' removes the schedule.")
@click.option("--timezone", metavar="ZONE")
@click.option("--when-late/--not-when-late", "when_late", default=None)
@click.option("--enable/--disable", "enabled", default=None)
@output.json_option
@with_hive
async def set_(
    actor: Actor,
    *,
    reference: str,
    repo: str | None,
    name: str | None,
    pairs: tuple[str, ...],
    secret_stdin: str | None,
    cron: str | None,
    timezone: str | None,
    when_late: bool | None,
    enabled: bool | None,
) -> None:
    """Change a trigger. Options that are left out change nothing."""
    found = await _find(actor, reference, repo)
    if not output.is_anything_asked(besides=("repo",)):
        output.show_unchanged(_document(found))
        return
    wanted = ChangeTrigger(
        name=name,
        settings=_given(pairs, secret_stdin),
        cron=cron,
        timezone=timezone,
        is_for_late=when_late,
        enabled=enabled,
    )
    info = await triggers.change_trigger(actor, found.id, wanted)
    output.show_done(_document(info), f"Trigger {info.name} was changed.")


@trigger.command("delete")
@click.argument("reference", metavar="NAME")
@REPO
@output.json_option
@with_hive
async def delete(actor: Actor, reference: str, repo: str | None) -> None:
    """Delete a trigger with its history."""
    found = await _find(actor, reference, repo)
    info = await triggers.delete_trigger(actor, found.id)
    output.show_done(_document(info), f"Trigger {info.name} was deleted.")


@trigger.command("run")
@click.argument("reference", metavar="NAME")
@REPO
@output.json_option
@with_hive
async def run(actor: Actor, reference: str, repo: str | None) -> None:
    """Call a trigger now; the running server does it, if there is one."""
    found = await _find(actor, reference, repo)
    asked = await triggers.start_now(actor, found.id)
    if not await running.server_was_told():
        await triggers.carry_out(asked.id)
    info = await triggers.get_run(actor, asked.id)
    if info.state == TriggerState.FAILED:
        raise Unavailable(f"Trigger {info.trigger} failed: {info.message}")
    output.show_done(_run_document(info), f"Trigger {info.trigger}: {_in_words(info)}")
