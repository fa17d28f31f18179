"""hive repo set, and the kept versions of a repository's config."""

from __future__ import annotations

from typing import Any

import click

from hive.background import spawn
from hive.cli import output, progress, values
from hive.cli.repo.documents import document
from hive.cli.repo.health import expectation, health_document
from hive.cli.repo.schedule import change_of, schedule_options
from hive.cli.running import with_hive
from hive.errors import Unavailable
from hive.kinds import Health, Mode, ShareLevel
from hive.long_work import WorkKind
from hive.services.health import infos as health_info
from hive.services.keys import grants
from hive.services.lifecycle import changing
from hive.services.lifecycle import config_restore as service
from hive.services.lifecycle.changing import ChangeRepository
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from hive.services.sessions import config_versions


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
@click.option(
    "--share-until", type=values.WHEN, metavar="WHEN", help="When the new shares end: +30d, ..."
)
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
    quota_is_given = source is click.core.ParameterSource.COMMANDLINE
    quota = given.pop("quota")
    wanted = ChangeRepository(
        mode=None if mode is None else Mode(mode.upper()),
        quota_bytes=quota,
        no_quota=quota_is_given and quota is None,
        accesses=grants.accesses(
            given.pop("full"), given.pop("append_only"), given.pop("read_only")
        ),
        share_with=given.pop("groups"),
        share_level=ShareLevel(given.pop("share_level")),
        share_until=given.pop("share_until"),
        unshare_from=given.pop("remove_groups"),
        schedule=change_of(given),
        add_tags=given.pop("tags"),
        remove_tags=given.pop("untags"),
        **given,
    )
    _set(reference, wanted)


@with_hive
async def _set(actor: Actor, reference: str, wanted: ChangeRepository) -> None:
    found = await catalogue.find_repository(actor, reference)
    if not output.is_anything_asked():
        health = await health_info.health_info(actor, found.id)
        output.show_unchanged(document(found) | health_document(health))
        return
    work = spawn(changing.change(actor, found.id, wanted), name="change")
    changed = await progress.shown(work, found.id, WorkKind.VERIFY)
    info, settled = changed.repository, changed.settled
    health = await health_info.health_info(actor, found.id)
    words = f"Repository {info.name} was changed."
    if not wanted.schedule.is_nothing and health.health != Health.UNWATCHED:
        words = f"{words}\n{expectation(health)}"
    output.show_done(document(info) | health_document(health), words)
    output.warn_of(changed.quota_use)
    if wanted.mode == Mode.BORG and health.health == Health.UNWATCHED:
        output.say(
            f"{info.name} is not watched: no backup is expected. `hive repo set {info.login}"
            " --every 1d` changes that."
        )
    if settled is not None and settled.facts is None:
        raise Unavailable(settled.message)
    if settled is not None:
        output.say(settled.message)


@click.command("configs")
@click.argument("reference", metavar="R")
@output.list_options
@with_hive
async def configs(actor: Actor, reference: str) -> None:
    """List the saved versions of a repository's config file.

    With repokey encryption, that file contains the key.
    """
    found = await catalogue.find_repository(actor, reference)
    infos = await config_versions.list_versions(actor, found.id)
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
        details=("SESSION", "SHA-256"),
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
