"""The group above all nouns: options that hold for each, and errors told in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hive import __version__
from hive.cli import output
from hive.cli.later import add_later
from hive.cli.options import Options
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
    help="Configuration file (HIVE_CONFIG).",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    envvar="HIVE_DATA_DIR",
    help="Directory for the server's own data (HIVE_DATA_DIR).",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.version_option(__version__, prog_name="hive")
@click.pass_context
def main(
    context: click.Context, config_file: Path | None, data_dir: Path | None, as_json: bool
) -> None:
    """Borg Hive: a server for borgbackup repositories.

    Refer to anything by its id, its name if that is unique, or OWNER/NAME; to a key also by
    its fingerprint, and to a repository by its login. Exit status: 0 done, 1 refused or
    failed, 2 wrong usage.
    """
    context.obj = Options(config_file, data_dir, as_json)


add_later(
    main,
    "hive.cli",
    {
        "audit": ("audit:audit", "The audit log: who changed what, when and from where."),
        "address": (
            "address:address",
            "Client addresses that are banned, allowed, slowed down or refused.",
        ),
        "alarm": ("alarm:alarm", "Alarms about repositories."),
        "channel": ("notifications.channel:channel", "Channels that notifications are sent to."),
        "clock": ("clock:clock", "The server's clock, and whether it can be trusted."),
        "completion": (
            "completion:completion",
            "Print the script that completes commands in a shell.",
        ),
        "config": ("config:config", "Settings."),
        "delivery": (
            "notifications.notification:delivery",
            "Deliveries of notifications, one for each channel.",
        ),
        "doctor": ("doctor:doctor", "Check this installation and say how to fix problems."),
        "event": ("event:event", "Events: what happened to repositories."),
        "group": ("group:group", "Groups of users, to share repositories and keys with."),
        "host-keys": ("host_keys:host_keys", "Show the server's SSH host keys."),
        "job": ("job:job", "Background jobs of the server."),
        "key": ("key:key", "Public keys that clients log in with."),
        "location": (
            "location:location",
            "Locations: the address that clients connect to, and the storage directory.",
        ),
        "machine": ("machine:machine", "Machines that back up: a key and its repository."),
        "maintenance": (
            "maintenance:maintenance",
            "Announce maintenance, during which missing backups are not reported.",
        ),
        "notification": ("notifications.notification:notification", "Notifications to users."),
        "repo": ("repo.main:repo", "Repositories."),
        "report": ("report:report", "Reports that clients sent about their own backups."),
        "rule": ("notifications.rule:rule", "Rules that choose what is sent to which channel."),
        "secrets": (
            "secrets:secrets",
            "Stored secrets of channels, triggers and authenticator apps.",
        ),
        "session": ("session:session", "Sessions: one for each SSH command that a client ran."),
        "setup-link": (
            "setup_link:setup_link",
            "Print a new link that creates the first administrator; earlier links stop working.",
        ),
        "status": ("status:status", "Show what needs attention."),
        "trigger": ("trigger:trigger", "Triggers that start a backup on a client."),
        "user": ("user:user", "Users, who own repositories and keys."),
    },
)
