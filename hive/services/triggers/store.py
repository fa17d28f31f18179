"""Triggers: added, shown, changed, deleted, pressed; for whom the repository allows it.

VIEW to see; MANAGE to add, change, delete and press. What a command trigger runs is for
administrators alone to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from tortoise.expressions import Q
from tortoise.functions import Max

from hive import clock, signals
from hive.database import after_commit, transactional
from hive.errors import Conflict, Forbidden, InvalidInput, NotFound, Sealed
from hive.kinds import Level, ScheduleKind, Source, TriggerKind, TriggerReason
from hive.models import Trigger, TriggerRun
from hive.schedule import Schedule
from hive.sentences import N_, say
from hive.services import audit, names, references, runtime, versions
from hive.services.permissions import (
    Actor,
    level_on,
    of_visible_repositories,
    repository_for,
    require,
    require_admin,
)
from hive.services.secrets import seal_settings, settings_of
from hive.services.triggers import runs, settings
from hive.services.triggers.infos import TriggerInfo, TriggerRunInfo, info_of, run_info
from hive.services.versions import Version

DEFAULT_TIMEZONE = "UTC"


@dataclass(frozen=True, kw_only=True)
class AddTrigger:
    """A trigger to add; what is absent gets the default named here.

    name         unique in its repository
    settings     what the kind needs, by name; empty ones are left out
    cron         when it is called. Without, by its button, or when a backup is late
    timezone     of `cron`; None: UTC
    is_for_late  call it also when the backup is late
    """

    name: str
    kind: TriggerKind
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    cron: str | None = None
    timezone: str | None = None
    is_for_late: bool = False


@dataclass(frozen=True, kw_only=True)
class ChangeTrigger:
    """What is to change of a trigger; what is absent stays as it is.

    settings  those that change, by name; an empty one is removed
    cron      a new schedule, which counts from now; an empty one removes it
    timezone  of the schedule; an empty one is UTC
    version   what the actor saw: Changed where it is another one by now
    """

    name: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    cron: str | None = None
    timezone: str | None = None
    is_for_late: bool | None = None
    enabled: bool | None = None
    version: Version | None = None


@transactional
async def add_trigger(actor: Actor, repository_id: int, wanted: AddTrigger) -> TriggerInfo:
    """Add a trigger to a repository, for those who may manage it.

    InvalidInput names the field: `name`, `cron`, `timezone`, or a setting. Conflict for a name that
    is taken, Forbidden for a command, which only an administrator chooses.
    """
    repository = await repository_for(actor, repository_id, Level.MANAGE)
    title = names.check_title(wanted.name, "trigger")
    await _check_free(repository.id, title)
    given = {key: value for key, value in wanted.settings.items() if value != ""}
    _check_target(actor, wanted.kind, given)
    row = Trigger(
        repository_id=repository.id,
        name=title,
        kind=wanted.kind,
        cron=wanted.cron or None,
        timezone=(wanted.timezone or DEFAULT_TIMEZONE) if wanted.cron else None,
        is_for_late=wanted.is_for_late,
        created_at=clock.now(),
    )
    row.next_at = next_time(row)
    await row.save()
    await seal_settings(row, given)
    await row.save(update_fields=["settings"])
    row.repository = repository
    await audit.record(
        actor,
        "trigger.add",
        _subject(row),
        kind=wanted.kind,
        settings=settings.shown(wanted.kind, given),
        cron=row.cron,
        timezone=row.timezone,
        when_late=wanted.is_for_late or None,
    )
    return info_of(row, None)


def next_time(row: Trigger) -> datetime | None:
    """When the schedule calls it next; InvalidInput for what is no schedule."""
    if row.cron is None or not row.enabled:
        return None
    schedule = Schedule(kind=ScheduleKind.CRON, cron=row.cron, timezone=row.timezone)
    return schedule.due_after(clock.now())


def _check_target(actor: Actor, kind: TriggerKind, values: Mapping[str, str]) -> None:
    target = settings.parse(kind, values)
    if not isinstance(target, settings.Command):
        return
    if not actor.is_admin:
        raise Forbidden("Only an administrator says which command a trigger runs.")
    commands = runtime.settings().triggers.commands
    if target.command not in commands:
        known = (
            say("; there are %(commands)s", commands=", ".join(sorted(commands)))
            if commands
            else ""
        )
        raise InvalidInput(
            "The configuration names no command %(command)r under [triggers.commands]%(known)s.",
            field="command",
            command=target.command[:64],
            known=known,
        )


async def _check_free(repository_id: int, name: str) -> None:
    if await Trigger.filter(repository_id=repository_id, name=name).exists():
        raise Conflict("The repository has a trigger %(name)s already.", field="name", name=name)


async def list_triggers(actor: Actor, *, repository_id: int | None = None) -> list[TriggerInfo]:
    """The triggers of one repository, or of all that the actor may see."""
    query = await _visible(actor)
    if repository_id is not None:
        query &= Q(repository_id=repository_id)
    rows = (
        await Trigger.filter(query).order_by("repository_id", "name").select_related("repository")
    )
    last = await _last_runs([row.id for row in rows])
    return [info_of(row, last.get(row.id)) for row in rows]


async def _visible(actor: Actor) -> Q:
    return Q(repository__deleted_at=None) & await of_visible_repositories(actor)


async def _last_run(trigger_id: int) -> TriggerRun | None:
    return (await _last_runs([trigger_id])).get(trigger_id)


async def _last_runs(trigger_ids: Sequence[int]) -> dict[int, TriggerRun]:
    runs = TriggerRun.filter(trigger_id__in=list(trigger_ids)).annotate(newest=Max("id"))
    newest = [row["newest"] for row in await runs.group_by("trigger_id").values("newest")]
    return {row.trigger_id: row for row in await TriggerRun.filter(id__in=newest)}


async def find_trigger(
    actor: Actor, reference: str, *, repository_id: int | None = None
) -> TriggerInfo:
    """The trigger of this id, name or REPOSITORY/NAME that the actor may see."""
    before, slash, after = reference.rpartition("/")
    meanings = Q(name=reference)
    if slash:
        where = Q(repository__name=before) | Q(repository__login=before)
        meanings |= Q(name=after) & where
    number = names.as_id(reference)
    if number is not None:
        meanings |= Q(id=number)
    query = await _visible(actor) & meanings
    if repository_id is not None:
        query &= Q(repository_id=repository_id)
    rows = await Trigger.filter(query).limit(2).select_related("repository")
    row = references.the_one(
        rows,
        reference,
        several=N_("%(reference)r can be several triggers: say REPOSITORY/NAME or the id."),
        none=N_("There is no trigger %(reference)r."),
    )
    return info_of(row, await _last_run(row.id))


async def get_trigger(actor: Actor, trigger_id: int) -> TriggerInfo:
    """The trigger of this id; its settings only for who may change them."""
    row = await _get(actor, trigger_id, Level.VIEW)
    info = info_of(row, await _last_run(row.id))
    if await level_on(actor, row.repository) >= Level.MANAGE:
        return info
    return replace(info, settings={})


def kinds_for(actor: Actor) -> list[TriggerKind]:
    """The kinds that the actor may add."""
    return [kind for kind in TriggerKind if kind != TriggerKind.COMMAND or actor.is_admin]


def commands(actor: Actor) -> list[str]:
    """The names of the commands in the configuration, for who may choose among them."""
    require_admin(actor)
    return sorted(runtime.settings().triggers.commands)


async def _get(actor: Actor, trigger_id: int, level: Level) -> Trigger:
    row = await Trigger.filter(id=trigger_id, repository__deleted_at=None).first()
    if row is None:
        raise NotFound("There is no such trigger.")
    await row.fetch_related("repository")
    try:
        await require(actor, row.repository, level)
    except NotFound:
        raise NotFound("There is no such trigger.") from None
    return row


@transactional
async def change_trigger(actor: Actor, trigger_id: int, wanted: ChangeTrigger) -> TriggerInfo:
    """Change what is given, for those who may manage the repository.

    Raises what `add_trigger` does.
    """
    row = await _get(actor, trigger_id, Level.MANAGE)
    await versions.require(row.id, wanted.version)
    before = _audited(row)
    if wanted.name is not None and wanted.name != row.name:
        title = names.check_title(wanted.name, "trigger")
        await _check_free(row.repository_id, title)
        row.name = title
    if wanted.settings:
        await _change_settings(actor, row, wanted.settings)
    if wanted.is_for_late is not None:
        row.is_for_late = wanted.is_for_late
    if wanted.enabled is not None:
        row.enabled = wanted.enabled
    if wanted.cron is not None:
        row.cron = wanted.cron or None
    former = None if wanted.timezone == "" else row.timezone
    zone = wanted.timezone or former or DEFAULT_TIMEZONE
    if wanted.timezone and row.cron is None:
        raise InvalidInput("A time zone belongs to a schedule: give both.", field="timezone")
    row.timezone = zone if row.cron else None
    if (wanted.cron, wanted.timezone, wanted.enabled) != (None, None, None):
        row.next_at = next_time(row)
    await row.save()
    await audit.record(actor, "trigger.set", _subject(row), **audit.changes(before, _audited(row)))
    return info_of(row, await _last_run(row.id))


def _audited(row: Trigger) -> dict[str, object]:
    """Settings as they may be shown."""
    values = audit.values_of(row, "name", "cron", "timezone", "is_for_late", "enabled")
    try:
        return {**settings.shown(row.kind, settings_of(row)), **values}
    except Sealed:
        return values


async def _change_settings(actor: Actor, row: Trigger, wanted: Mapping[str, str]) -> None:
    stored = settings_of(row)
    merged = {**stored, **wanted}
    settings.check_move(row.kind, stored, wanted, merged)
    kept = {key: value for key, value in merged.items() if value != ""}
    _check_target(actor, row.kind, kept)
    await seal_settings(row, kept)


@transactional
async def delete_trigger(actor: Actor, trigger_id: int) -> TriggerInfo:
    """Delete it with its history; what it started in AWX goes on there."""
    row = await _get(actor, trigger_id, Level.MANAGE)
    info = info_of(row, await _last_run(row.id))
    await row.delete()
    await audit.record(actor, "trigger.delete", _subject(row), kind=row.kind)
    return info


@transactional
async def start_now(actor: Actor, trigger_id: int) -> TriggerRunInfo:
    """Have it called now; whoever listens (the server) makes the call, after commit."""
    row = await _get(actor, trigger_id, Level.MANAGE)
    is_command = actor.source == Source.CLI
    reason = TriggerReason.COMMAND if is_command else TriggerReason.BUTTON
    run = await runs.begin(row, reason, asked_by=actor.name)
    if run is None:
        raise Conflict("%(name)s is still running: wait for its end.", name=row.name)
    await audit.record(actor, "trigger.run", _subject(row))
    asked = signals.TriggerAsked(run.id)
    after_commit(lambda: signals.tell(asked))
    return run_info(run, row.name)


async def list_runs(
    actor: Actor, trigger_id: int, *, limit: int = 50, before_id: int | None = None
) -> list[TriggerRunInfo]:
    """The newest calls first."""
    row = await _get(actor, trigger_id, Level.VIEW)
    query = TriggerRun.filter(trigger_id=row.id)
    if before_id is not None:
        query = query.filter(id__lt=before_id)
    return [run_info(run, row.name) for run in await query.order_by("-id").limit(limit)]


async def get_run(actor: Actor, run_id: int) -> TriggerRunInfo:
    run = await TriggerRun.get_or_none(id=run_id)
    if run is None:
        raise NotFound("There is no such run.")
    try:
        row = await _get(actor, run.trigger_id, Level.VIEW)
    except NotFound:
        raise NotFound("There is no such run.") from None
    return run_info(run, row.name)


def _subject(row: Trigger) -> str:
    return f"trigger {row.name} of {audit.name_of(row.repository)}"
