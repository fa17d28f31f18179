"""hive repo set, and the kept versions of a repository's config."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from hive.cli import output, values
from hive.cli.repo.documents import document
from hive.cli.repo.health import health_document
from hive.cli.repo.schedule import apply, change_of, schedule_options
from hive.cli.running import with_hive
from hive.database import transactional
from hive.errors import Unavailable
from hive.kinds import Access, Health, Mode, ShareLevel
from hive.services.health import infos as health_info
from hive.services.health.schedules import ScheduleChange
from hive.services.keys import grants
from hive.services.lifecycle import config_restore as service
from hive.services.lifecycle import imports
from hive.services.permissions import Actor
from hive.services.repositories import catalogue, former_paths, quotas
from hive.services.sessions import record


@dataclass(frozen=True)
class _Wanted:
    """What `repo set` was asked to change."""

    name: str | None
    owner: str | None
    quota: int | None
    quota_is_given: bool
    accesses: dict[str, Access]
    remove_keys: tuple[str, ...]
    groups: tuple[str, ...]
    share_level: ShareLevel
    remove_groups: tuple[str, ...]
    schedule: ScheduleChange
    tags: tuple[str, ...]
    untags: tuple[str, ...]
    strict_paths: bool | None
    confirm_empty: bool


@click.command("set")
@click.argument("reference", metavar="R")
@click.option("--name", help="A new name; login, path and URL do not change.")
@click.option("--owner", metavar="USER", help="Transfer it to another user.")
@click.option("--mode", type=values.MODE)
@click.option("--quota", type=values.LIMIT, metavar="SIZE", help="500GB, 2TiB, none, ...")
@click.option("--key", "full", metavar="K", multiple=True, help="Grant this key full access.")
@click.option("--append-only-key", "append_only", metavar="K", multiple=True)
@click.option("--read-only-key", "read_only", metavar="K", multiple=True)
@click.option("--remove-key", "remove_keys", metavar="K", multiple=True)
@click.option("--group", "groups", metavar="G", multiple=True, help="Share it with this group.")
@click.option("--share-level", type=values.LEVEL, default=ShareLevel.MANAGE.value)
@click.option("--remove-group", "remove_groups", metavar="G", multiple=True)
@schedule_options
@click.option("--untag", "untags", metavar="T", multiple=True)
@click.option(
    "--strict-paths/--former-paths",
    default=None,
    help="Accept only the path in the URL, or former paths as well.",
)
@click.option(
    "--confirm-empty",
    is_flag=True,
    help="Confirm that its content is lost, so that clients can create it again.",
)
@output.json_option
@click.pass_context
def set_(context: click.Context, /, reference: str, mode: str | None, **given: Any) -> None:  # noqa: ANN401 - click's own values
    """Change a repository. Options that are left out change nothing.

    Sessions that lose their access end.
    """
    source = context.get_parameter_source("quota")
    wanted = _Wanted(
        accesses=grants.accesses(
            given.pop("full"), given.pop("append_only"), given.pop("read_only")
        ),
        share_level=ShareLevel(given.pop("share_level")),
        quota_is_given=source is click.core.ParameterSource.COMMANDLINE,
        schedule=change_of(given),
        **given,
    )
    is_asked = any(
        context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        for name in context.params
        if name != "reference"
    )
    _set(reference, wanted, None if mode is None else Mode(mode.upper()), is_asked=is_asked)


@with_hive
async def _set(
    actor: Actor, reference: str, wanted: _Wanted, mode: Mode | None, *, is_asked: bool
) -> None:
    found = await catalogue.find_repository(actor, reference)
    if wanted.confirm_empty:
        await catalogue.confirm_empty(actor, found.id)
    await _change(actor, found.id, wanted)
    settled = await imports.switch_mode(actor, found.id, mode) if mode else None
    info = await catalogue.find_repository(actor, found.login)
    health = await health_info.health_info(actor, found.id)
    shown = document(info) | health_document(health)
    changed = f"Repository {info.name} was changed."
    output.show_done(shown, changed if is_asked else "Nothing to change: give an option.")
    if wanted.quota is not None:
        output.warn_of(await quotas.use_of_repository(found.id))
    if mode == Mode.BORG and health.health == Health.UNWATCHED:
        output.say(
            f"{info.name} is not watched: no backup is expected. `hive repo set {info.login}"
            " --every 1d` changes that."
        )
    if settled is not None and settled.facts is None:
        raise Unavailable(settled.message)
    if settled is not None:
        output.say(settled.message)


@transactional
async def _change(actor: Actor, repository_id: int, wanted: _Wanted) -> None:
    """All of it or nothing."""
    await catalogue.set_repository(
        actor,
        repository_id,
        name=wanted.name,
        quota_bytes=wanted.quota,
        no_quota=wanted.quota_is_given and wanted.quota is None,
        share_with=wanted.groups,
        share_level=wanted.share_level,
        unshare_from=wanted.remove_groups,
        owner=wanted.owner,
    )
    await grants.revoke(actor, repository_id, wanted.remove_keys)
    await grants.grant(actor, repository_id, wanted.accesses)
    if wanted.strict_paths is not None:
        await former_paths.set_strict(actor, repository_id, strict=wanted.strict_paths)
    await apply(
        actor,
        repository_id,
        wanted.schedule,
        add_tags=wanted.tags,
        remove_tags=wanted.untags,
    )


@click.command("configs")
@click.argument("reference", metavar="R")
@output.json_option
@with_hive
async def configs(actor: Actor, reference: str) -> None:
    """List the saved versions of a repository's config file.

    With repokey encryption, that file contains the key.
    """
    found = await catalogue.find_repository(actor, reference)
    infos = await record.config_versions(actor, found.id)
    output.show_list(
        [
            {
                "version": info.id,
                "created_at": output.time(info.created_at),
                "sha256": info.sha256,
                "size_bytes": len(info.content),
                "session": info.session_id,
            }
            for info in infos
        ],
        {
            "VERSION": lambda info: info.id,
            "KEPT SINCE": lambda info: info.created_at,
            "SHA-256": lambda info: info.sha256,
            "SESSION": lambda info: info.session_id,
        },
        infos,
    )


@click.command("restore-config")
@click.argument("reference", metavar="R")
@click.argument("version", type=values.ID)
@output.json_option
@with_hive
async def restore_config(actor: Actor, reference: str, version: int) -> None:
    """Restore a saved version of the config file."""
    found = await catalogue.find_repository(actor, reference)
    info = await service.restore_config(actor, found.id, version)
    output.show_done(
        {"repository": found.name, "login": found.login, "version": info.id, "sha256": info.sha256},
        f"Version {info.id} of the config of {found.name} was restored.",
    )
