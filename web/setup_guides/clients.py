"""What to put on a machine so that it backs up to a repository: for each client, ready to copy.

Names of programs, files and keywords are the same in every language; only explanations are marked.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from hive.sentences import N_
from hive.services.overview.details import Details

KEY_FILE = "~/.ssh/id_ed25519"
_UNLOCK_FILE = "/etc/borg/passphrase"


@dataclass(frozen=True)
class Snippet:
    id: str
    title: str  # where it goes, or what it is
    text: str


@dataclass(frozen=True)
class Way:
    """One client, and what it needs."""

    id: str
    title: str
    about: str
    snippets: tuple[Snippet, ...]


def ways(details: Details) -> list[Way]:
    return [
        _borg(details),
        _borgmatic(details),
        _vorta(details),
        _pika(details),
        _systemd(details),
        _ssh(details),
    ]


def _borg(details: Details) -> Way:
    url = details.repository.url
    shown, archive = shlex.quote(url), shlex.quote(url + "::{hostname}-{now}")
    text = f"""\
borg create --stats --compression zstd --exclude-caches \\
    {archive} /home /etc
borg prune --list --glob-archives '{{hostname}}-*' \\
    --keep-daily 7 --keep-weekly 4 --keep-monthly 6 {shown}
borg compact {shown}"""
    about = N_(
        "With an append-only key, run only the first command; prune and compact "
        "from a machine with full access."
    )
    return Way("borg", "borg", about, (Snippet("setup-borg", "sh", text),))


def _borgmatic(details: Details) -> Way:
    url, name = details.repository.url, details.repository.directory
    text = f"""\
source_directories:
    - /home
    - /etc

repositories:
    - path: {json.dumps(url)}
      label: {json.dumps(name)}

encryption_passcommand: cat {_UNLOCK_FILE}
compression: zstd
exclude_caches: true

keep_daily: 7
keep_weekly: 4
keep_monthly: 6

checks:
    - name: repository
      frequency: 2 weeks
    - name: archives
      frequency: 4 weeks"""
    create = "borgmatic repo-create --encryption repokey-blake2\nborgmatic --verbosity 1"
    about = N_("The first command creates the repository, the second makes a backup.")
    snippets = (
        Snippet("setup-borgmatic", "/etc/borgmatic/config.yaml", text),
        Snippet("setup-borgmatic-run", "sh", create),
    )
    return Way("borgmatic", "borgmatic", about, snippets)


def _vorta(details: Details) -> Way:
    about = N_(
        "Repository, Initialize New Repository (or Add Existing): this address, the SSH key, and a"
        " passphrase. Then choose the folders under Sources."
    )
    return Way("vorta", "Vorta", about, (Snippet("setup-vorta", "URL", details.repository.url),))


def _pika(details: Details) -> Way:
    about = N_(
        "Setup Backup, Create New (or Use Existing), Remote Location: this address and an"
        " encryption password."
    )
    return Way(
        "pika", "Pika Backup", about, (Snippet("setup-pika", "URL", details.repository.url),)
    )


def _systemd(details: Details) -> Way:
    url, name = details.repository.url, details.repository.directory
    service = f"""\
[Unit]
Description=borg backup to {name}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
Environment=BORG_REPO={url}
Environment="BORG_PASSCOMMAND=cat {_UNLOCK_FILE}"
ExecStart=/usr/bin/borg create --stats --compression zstd --exclude-caches \\
    ::{{hostname}}-{{now}} /home /etc
ExecStart=/usr/bin/borg prune --glob-archives {{hostname}}-* \\
    --keep-daily 7 --keep-weekly 4 --keep-monthly 6
ExecStart=/usr/bin/borg compact
SuccessExitStatus=1"""
    timer = """\
[Unit]
Description=daily borg backup

[Timer]
OnCalendar=daily
RandomizedDelaySec=1h
Persistent=true

[Install]
WantedBy=timers.target"""
    unit = f"borg-{name}"
    about = N_(
        "A backup a day, also after the machine was off. Warnings from borg do "
        "not count as a failure."
    )
    snippets = (
        Snippet("setup-service", f"/etc/systemd/system/{unit}.service", service),
        Snippet("setup-timer", f"/etc/systemd/system/{unit}.timer", timer),
        Snippet("setup-enable", "sh", f"systemctl enable --now {shlex.quote(unit + '.timer')}"),
    )
    return Way("systemd", "systemd", about, snippets)


def _ssh(details: Details) -> Way:
    repository = details.repository
    alias = f"borg-{repository.directory}"
    text = f"""\
Host {alias}
    HostName {details.host}
    Port {details.port}
    User {repository.login}
    IdentityFile {KEY_FILE}
    IdentitiesOnly yes
    ServerAliveInterval 10
    ServerAliveCountMax 30"""
    known = "\n".join(identity.known_hosts_line for identity in details.host_identities)
    snippets = [
        Snippet("setup-ssh", "~/.ssh/config", text),
        Snippet("setup-alias", "URL", f"ssh://{alias}/./{repository.directory}"),
    ]
    if known:
        snippets.append(Snippet("setup-known-hosts", "~/.ssh/known_hosts", known))
    about = N_("With this the short address works too, and ssh knows the server beforehand.")
    return Way("ssh", "OpenSSH", about, tuple(snippets))
