"""The group above all nouns: options that hold for each, and errors told in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hive import __version__
from hive.cli import output
from hive.cli.address import address
from hive.cli.alarm import alarm
from hive.cli.clock import clock
from hive.cli.config import config
from hive.cli.doctor import doctor
from hive.cli.event import event
from hive.cli.group import group
from hive.cli.host_keys import host_keys
from hive.cli.job import job
from hive.cli.key import key
from hive.cli.location import location
from hive.cli.maintenance import maintenance
from hive.cli.notifications.channel import channel
from hive.cli.notifications.notification import delivery, notification
from hive.cli.notifications.rule import rule
from hive.cli.options import Options
from hive.cli.repo.main import repo
from hive.cli.report import report
from hive.cli.secrets import secrets
from hive.cli.session import session
from hive.cli.status import status
from hive.cli.trigger import trigger
from hive.cli.user import user
from hive.errors import HiveError


class _Hive(click.Group):
    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click has it
        try:
            return super().invoke(ctx)
        except HiveError as error:
            output.say(error.message)
            ctx.exit(1)


@click.group(cls=_Hive, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    envvar="HIVE_CONFIG",
    help="The configuration file (HIVE_CONFIG).",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    envvar="HIVE_DATA_DIR",
    help="The directory of the hive's own state (HIVE_DATA_DIR).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.version_option(__version__, prog_name="hive")
@click.pass_context
def main(
    context: click.Context, config_file: Path | None, data_dir: Path | None, as_json: bool
) -> None:
    """Borg Hive: a server for borgbackup repositories.

    A reference to a thing is its id, its unambiguous name, OWNER/NAME, for a key its
    fingerprint, for a repository its login. Exit status: 0 done, 1 refused or failed,
    2 wrong usage.
    """
    context.obj = Options(config_file, data_dir, as_json)


for _noun in (
    status,
    user,
    group,
    location,
    key,
    repo,
    session,
    report,
    trigger,
    event,
    alarm,
    job,
    channel,
    rule,
    notification,
    delivery,
    host_keys,
    address,
    maintenance,
    secrets,
    clock,
    doctor,
    config,
):
    main.add_command(_noun)
