"""What is wrong with this installation, and what to do: one finding for each thing looked at."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from hive import memory, sql
from hive.config import dangers
from hive.config import settings as config
from hive.config.settings import Settings
from hive.database_file import missing
from hive.errors import HiveError
from hive.sentences import say
from hive.services import runtime, secrets
from hive.services.alarms import server_alarms
from hive.services.checks import Check
from hive.services.clock import last_backups
from hive.services.gate import host_keys
from hive.services.notifications import reach
from hive.services.permissions import Actor, require_sight
from hive.services.programs import confinement, discovery
from hive.services.server import clock_watch, handover, heartbeat
from hive.services.server.machine import check_clock, check_inotify, check_port
from hive.services.storage import disks, locations, places

_ASSESSED_SECONDS = 600.0


async def examine(actor: Actor, settings: Settings) -> list[Check]:
    """Look at everything. Nothing is changed, and a data directory that is not there not made.

    Call it without runtime.start: that this works is one of the things it looks at.
    """
    require_sight(actor)
    findings = [
        *await asyncio.to_thread(_check_machine, settings),
        *_check_settings(settings),
    ]
    directory = await asyncio.to_thread(_check_data_directory, settings)
    findings.append(directory)
    problem = None if settings.database.url else missing(settings.paths.database)
    if problem is not None:
        return [*findings, Check("error", say("Database"), problem)]
    if not settings.paths.database.exists() and settings.database.url is None:
        findings.append(
            Check("warning", say("Database"), say("There is none yet"), say("Start the server."))
        )
        return [*findings, *_check_ports(settings, None)]
    if _is_usable(settings.paths.data_dir):  # others may look into it, and more be wrong besides
        findings += await _check_state(actor, settings)
    return list(dict.fromkeys(findings))  # what two look at is said once


async def examine_running(actor: Actor) -> list[Check]:
    """The same from inside the running server, whose services have started."""
    require_sight(actor)
    settings = runtime.settings()
    findings = [
        *await asyncio.to_thread(_check_machine, settings),
        *_check_settings(settings),
        await asyncio.to_thread(_check_data_directory, settings),
        *await _check_services(actor, settings),
    ]
    return list(dict.fromkeys(findings))


def _check_settings(settings: Settings) -> list[Check]:
    remedy = say("See docs/reference/configuration.md.")
    sentences = [*config.unknown_variables(), *dangers.dangerous(settings)]
    return [Check("warning", say("Settings"), sentence, remedy) for sentence in sentences]


def _check_machine(settings: Settings) -> list[Check]:
    """The programs and what confines them, and what the system is set to."""
    found = discovery.find_programs(settings)
    wishes = confinement.Wishes.of(settings)
    assessment = _assess(wishes, (), tuple(found.paths))
    is_held = assessment.confinement.holds_files
    return [
        *discovery.findings(found, settings, is_held=is_held),
        *assessment.findings,
        check_clock(),
        *check_inotify(),
    ]


@dataclass
class _Memory:
    assessed: dict[object, tuple[float, confinement.Assessment]] = field(default_factory=dict)


def _assess(
    wishes: confinement.Wishes, roots: tuple[Path, ...], paths: tuple[str, ...]
) -> confinement.Assessment:
    """What confinement can be had, kept for a while: each trial starts processes. It blocks."""
    key, assessed = (wishes, roots, paths), memory.of(_Memory).assessed
    at, known = assessed.get(key, (0.0, None))
    if known is None or time.monotonic() - at > _ASSESSED_SECONDS:
        known = confinement.assess(wishes, roots=roots, programs=paths)
        assessed[key] = (time.monotonic(), known)
    return known


def _check_data_directory(settings: Settings) -> Check:
    path = settings.paths.data_dir
    subject = say("Data directory")
    try:
        status = path.stat()
    except FileNotFoundError:
        return Check(
            "warning",
            subject,
            say("%(path)s does not exist yet", path=path),
            say("Start the server."),
        )
    except OSError as error:
        message = say("%(path)s cannot be reached: %(problem)s", path=path, problem=error.strerror)
        return Check("error", subject, message, say("Name another one with --data-dir."))
    if not _is_usable(path):
        remedy = say("Run this as its owner, or correct that with chown: %(path)s", path=path)
        return Check(
            "error", subject, say("%(path)s cannot be written by this user", path=path), remedy
        )
    # Children of another user may pass through (x), nobody may look into it.
    if status.st_mode & 0o066:
        remedy = say("chmod go-rw %(path)s", path=path)
        return Check(
            "error", subject, say("%(path)s can be read or written by others", path=path), remedy
        )
    if settings.paths.database.exists() and settings.paths.database.stat().st_mode & 0o077:
        remedy = say("chmod 600 %(path)s", path=settings.paths.database)
        return Check("error", subject, say("The database can be read by others"), remedy)
    return Check("ok", subject, say("%(path)s is private and can be written", path=path))


def _is_usable(data_dir: Path) -> bool:
    return data_dir.is_dir() and os.access(data_dir, os.R_OK | os.W_OK | os.X_OK)


async def _check_state(actor: Actor, settings: Settings) -> list[Check]:
    """What needs the services, and whether those start at all."""
    try:
        await runtime.start(settings)
    except HiveError as error:
        remedy = say("Put back the newest copy: `hive.sqlite3.before-...` beside it, or a backup.")
        return [Check("error", say("Database"), error.message, remedy)]
    try:
        return await _check_services(actor, settings)
    finally:
        await runtime.stop()


async def _check_services(actor: Actor, settings: Settings) -> list[Check]:
    findings = await _check_database()
    findings += await _check_host_keys()
    findings += await secrets.findings()
    await places.look_at_all()
    findings += await server_alarms.findings()
    findings += await clock_watch.findings()
    findings += await last_backups.findings()
    findings += await reach.findings(actor)
    findings += _check_ports(settings, runtime.read_listening())
    found = await locations.list_locations(actor)
    roots = sorted({info.root for info in found if info.problem is None})
    findings += [disks.findings(disk) for disk in await disks.all_disks()]
    wishes = confinement.Wishes.of(settings)
    assessment = await asyncio.to_thread(_assess, wishes, tuple(roots), ())
    findings += [finding for finding in assessment.findings if finding.level == "error"]
    findings += await handover.findings(assessment.confinement.owner)
    return [*findings, *heartbeat.findings()]


async def _check_database() -> list[Check]:
    wrong = await sql.problems()
    if wrong:
        remedy = say("Stop the server and restore a backup: the file is damaged.")
        return [Check("error", say("Database"), "; ".join(wrong[:5]), remedy)]
    return [Check("ok", say("Database"), say("It opens and is whole"))]


async def _check_host_keys() -> list[Check]:
    try:
        keys = await host_keys.public_keys()
    except HiveError as error:
        return [Check("error", say("Host keys"), error.message)]
    if not keys:
        return [
            Check("warning", say("Host keys"), say("There are none yet"), say("Start the server."))
        ]
    return [
        Check(
            "ok",
            say("Host keys"),
            say(
                "%(count)s private, %(fingerprint)s",
                count=len(keys),
                fingerprint=keys[0].fingerprint,
            ),
        )
    ]


def _check_ports(settings: Settings, running: runtime.Listening | None) -> list[Check]:
    if running is not None:
        message = say(
            "The server is running: SSH port %(port)s, %(url)s",
            port=running.ssh_port,
            url=running.web_url,
        )
        return [Check("ok", say("Server"), message)]
    return [
        *(check_port("SSH", one, "ssh.listen") for one in settings.ssh.addresses),
        *(check_port("Web", one, "web.listen") for one in settings.web.addresses),
    ]
