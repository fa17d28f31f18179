"""How to connect a machine, for each client."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from enum import StrEnum

from hive.sentences import N_
from hive.services.overview.connecting import Connection
from web.setup_guides import shell
from web.setup_guides.parts import Guide, Milestone, Snippet, Step
from web.setup_guides.shell import Machine


class Client(StrEnum):
    """What backs up."""

    BORG = "borg"
    BORGMATIC = "borgmatic"
    VORTA = "vorta"
    PIKA = "pika"
    SYSTEMD = "systemd"


TITLES: Mapping[Client, str] = {
    Client.BORG: "borg",
    Client.BORGMATIC: "borgmatic",
    Client.VORTA: "Vorta",
    Client.PIKA: "Pika Backup",
    Client.SYSTEMD: "systemd",
}


def guide(client: Client, connection: Connection) -> Guide:
    """What to do, step by step."""
    machine = Machine.of(connection)
    first = (shell.key(), shell.known_hosts(machine), shell.passphrase(machine))
    return Guide(client, first + _FURTHER[client](machine))


def _borg(machine: Machine) -> tuple[Step, ...]:
    return (
        shell.create(machine),
        shell.backup(machine),
        shell.export_with_borg(machine),
        shell.restore(machine),
    )


def _borgmatic(machine: Machine) -> tuple[Step, ...]:
    config = f"~/.config/borgmatic.d/{machine.name}.yaml"
    write = Snippet("connect-config", "sh", _borgmatic_config(machine, config))
    create = Snippet(
        "connect-create",
        "sh",
        f"borgmatic --config {config} repo-create --encryption repokey-blake2",
    )
    run = Snippet("connect-backup", "sh", f"borgmatic --config {config} --verbosity 1")
    key_file = f"~/{machine.name}-borg-key.txt"
    export = f"borgmatic --config {config} key export --path {key_file}\ncat {key_file}"
    extract = f"""\
borgmatic --config {config} extract --archive latest \\
    --path {machine.restored_path} --destination ~/restored"""
    return (
        Step(
            id="create",
            title=N_("Create the repository"),
            about=N_(
                "The first command writes borgmatic's configuration, the second creates the"
                " repository."
            ),
            snippets=(write, create),
            sees=Milestone.CREATED,
        ),
        Step(
            id="backup",
            title=N_("Make the first backup"),
            about=N_("This backs up the home directory; change source_directories to add others."),
            snippets=(run,),
            after=shell.freeing(machine),
            sees=Milestone.BACKUP,
        ),
        Step(
            id="daily",
            title=N_("Back up every day"),
            about=N_(
                "Most packages bring borgmatic.timer: systemctl enable --now borgmatic.timer"
                " as root runs all configurations of root every day. Anywhere else, cron runs"
                " the command above."
            ),
        ),
        shell.export_key(machine, export),
        shell.restore_step((Snippet("connect-restore", "sh", f"mkdir -p ~/restored\n{extract}"),)),
    )


def _borgmatic_config(machine: Machine, config: str) -> str:
    text = f"""\
mkdir -p ~/.config/borgmatic.d
cat > {config} <<END
source_directories:
    - $HOME
exclude_patterns:
    - $HOME/.cache
exclude_caches: true

repositories:
    - path: {json.dumps(machine.url)}
      label: {json.dumps(machine.name)}

encryption_passcommand: cat $HOME/{machine.passphrase}
compression: zstd
"""
    if machine.may_free_space:
        text += """
keep_daily: 7
keep_weekly: 4
keep_monthly: 6
"""
    else:
        text += """
skip_actions:
    - prune
    - compact
"""
    return f"""{text}
checks:
    - name: repository
      frequency: 2 weeks
    - name: archives
      frequency: 4 weeks
END"""


def _vorta(machine: Machine) -> tuple[Step, ...]:
    return (
        _address(
            machine,
            N_(
                "In Vorta, choose Repository, New Repository: this address, the SSH key"
                " id_ed25519 and the passphrase."
            ),
        ),
        Step(
            id="backup",
            title=N_("Make the first backup"),
            about=N_(
                "Choose folders under Sources, a time under Schedule, and press Start Backup."
            ),
            after=shell.freeing(machine),
            sees=Milestone.BACKUP,
        ),
        shell.restore_step(
            (),
            N_(
                "Under Archives, choose the archive and press Extract. Restore one file, and look"
                " at it."
            ),
        ),
    )


def _pika(machine: Machine) -> tuple[Step, ...]:
    return (
        _address(
            machine,
            N_(
                "In Pika Backup, choose Setup Backup, Create New, Remote Location: this address and"
                " the passphrase as encryption password."
            ),
        ),
        Step(
            id="backup",
            title=N_("Make the first backup"),
            about=N_("Choose the folders, switch the schedule on, and press Back Up Now."),
            after=shell.freeing(machine),
            sees=Milestone.BACKUP,
        ),
        shell.restore_step(
            (), N_("Under Archives, press Browse Saved Files. Copy one file, and look at it.")
        ),
    )


def _address(machine: Machine, about: str) -> Step:
    return Step(
        id="create",
        title=N_("Create the repository"),
        about=about,
        snippets=(Snippet("connect-address", "URL", machine.url),),
        sees=Milestone.CREATED,
    )


def _systemd(machine: Machine) -> tuple[Step, ...]:
    unit = f"borg-{machine.name}"
    write = Snippet("connect-units", "sh", _units(machine, unit))
    start = Snippet(
        "connect-backup",
        "sh",
        f"""\
systemctl --user daemon-reload
systemctl --user start {shlex.quote(unit + ".service")}""",
    )
    enable = Snippet(
        "connect-enable",
        "sh",
        f"""\
systemctl --user enable --now {shlex.quote(unit + ".timer")}
loginctl enable-linger""",
    )
    return (
        shell.create(machine),
        Step(
            id="backup",
            title=N_("Make the first backup"),
            about=N_(
                "The first command writes a service and a timer for the user who runs it; the"
                " second makes a backup of the home directory."
            ),
            snippets=(write, start),
            after=shell.freeing(machine),
            sees=Milestone.BACKUP,
        ),
        Step(
            id="daily",
            title=N_("Back up every day"),
            about=N_(
                "The timer runs once a day, also when the machine was off at that time, and"
                " when nobody is logged in."
            ),
            snippets=(enable,),
        ),
        shell.export_with_borg(machine),
        shell.restore(machine),
    )


def _units(machine: Machine, unit: str) -> str:
    freeing = ""
    if machine.may_free_space:
        freeing = """\
ExecStart=/usr/bin/borg prune --glob-archives {hostname}-* \\
    --keep-daily 7 --keep-weekly 4 --keep-monthly 6
ExecStart=/usr/bin/borg compact
"""
    return f"""\
mkdir -p ~/.config/systemd/user
cat > ~/.config/systemd/user/{unit}.service <<'END'
[Unit]
Description=borg backup to {machine.name}

[Service]
Type=oneshot
Environment=BORG_REPO={machine.url}
Environment="BORG_PASSCOMMAND=cat %h/{machine.passphrase}"
ExecStart=/usr/bin/borg create --stats --compression zstd --exclude-caches \\
    --exclude %h/.cache ::{{hostname}}-{{now}} %h
{freeing}SuccessExitStatus=1
END
cat > ~/.config/systemd/user/{unit}.timer <<'END'
[Unit]
Description=daily borg backup to {machine.name}

[Timer]
OnCalendar=daily
RandomizedDelaySec=1h
Persistent=true

[Install]
WantedBy=timers.target
END"""


_FURTHER: Mapping[Client, Callable[[Machine], tuple[Step, ...]]] = {
    Client.BORG: _borg,
    Client.BORGMATIC: _borgmatic,
    Client.VORTA: _vorta,
    Client.PIKA: _pika,
    Client.SYSTEMD: _systemd,
}
