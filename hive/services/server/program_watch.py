"""Watches the programs of sessions: missing, crashing at start, or of a version that does not do.

Their files are looked at, and asked for their version only where those changed or the last look
failed; what a session could not start is asked again, too.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable
from math import inf
from pathlib import Path

from hive.config import settings as config
from hive.config.settings import Settings
from hive.errors import Unavailable
from hive.kinds import EventKind, Mode
from hive.models import Repository
from hive.process.child import run_blocking
from hive.process.spec import ChildSpec, Confinement
from hive.sentences import say
from hive.services.alarms import server_alarms
from hive.services.alarms.server_alarms import Trouble
from hive.services.programs import discovery
from hive.services.programs.discovery import Examined, Programs

LOOK_EVERY = 15.0  # seconds
_TRIAL_EVERY = 40.0
_TRIAL_SECONDS = 20.0
_BORG, _BORG2, _RSYNC, _CHILDREN = "program:borg", "program:borg2", "program:rsync", "children"


class ProgramWatch:
    """Reports what is wrong with programs, and hands on which work."""

    def __init__(
        self, settings: Settings, confinement: Confinement, use: Callable[[Programs], None]
    ) -> None:
        self._settings = settings
        self._confinement = confinement
        self._use = use
        self._had_rsync = False
        self._tried = -inf  # of time.monotonic

    async def look(self) -> None:
        """Look at each program, and try whether any can be started."""
        wanted = self._settings
        borg = await asyncio.to_thread(discovery.examine, wanted.borg.command)
        rsync = await asyncio.to_thread(discovery.examine, wanted.rsync.command)
        borg2 = Examined(None)
        if wanted.borg.borg2_command:
            borg2 = await asyncio.to_thread(discovery.examine, wanted.borg.borg2_command)
        self._use(Programs(usable_borg(borg), borg2.program, rsync.program))
        self._had_rsync = self._had_rsync or rsync.program is not None
        await server_alarms.report(_BORG, about_borg(wanted.borg.command, borg))
        if wanted.borg.borg2_command:
            trouble = about_borg2(wanted.borg.borg2_command, borg2)
            await server_alarms.report(_BORG2, trouble)
        is_missed = rsync.program is None and await self._needs_rsync()
        trouble = about_rsync(wanted.rsync.command, rsync) if is_missed else None
        await server_alarms.report(_RSYNC, trouble)
        await self._try_children()

    async def _try_children(self) -> None:
        """Once a minute, or at each look as long as it fails."""
        if time.monotonic() - self._tried < _TRIAL_EVERY:
            return
        trouble = await asyncio.to_thread(about_children, self._confinement)
        self._tried = time.monotonic() if trouble is None else -inf
        await server_alarms.report(_CHILDREN, trouble)

    async def _needs_rsync(self) -> bool:
        """Whether its absence is a fault: a server for borg alone may have none."""
        is_named = self._settings.rsync.command != config.RsyncSettings().command
        if self._had_rsync or is_named:
            return True
        using = Repository.filter(mode__in=(Mode.IMPORT, Mode.EXPORT), deleted_at=None)
        return await using.exists()


def usable_borg(found: Examined) -> discovery.Program | None:
    """The borg that sessions may use; None where it is of a version that does not work."""
    program = found.program
    return program if program is not None and (1, 1) <= program.version < (2,) else None


def about_borg(command: str, found: Examined) -> Trouble | None:
    """What is wrong with the borg of this server."""
    if usable_borg(found) is not None:
        return None
    return Trouble(
        EventKind.PROGRAM_UNUSABLE,
        say("borg does not work on the server"),
        say(
            "borg does not work on the server, so no backup can be made: %(problem)s.",
            problem=_problem(found, say("1.1 to 1.4")),
        ),
        say(
            "Install borgbackup 1.1 to 1.4, or name the program in borg.command (now %(command)s).",
            command=command,
        ),
    )


def about_borg2(command: str, found: Examined) -> Trouble | None:
    """What is wrong with the borg 2 that the settings name."""
    if found.program is not None and found.program.version >= (2,):
        return None
    return Trouble(
        EventKind.PROGRAM_UNUSABLE,
        say("borg 2 does not work on the server"),
        say(
            "borg 2 does not work on the server, so its clients cannot back up: %(problem)s.",
            problem=_problem(found, say("2 or newer")),
        ),
        say(
            "Install borg 2, or name the program in borg.borg2_command (now %(command)s).",
            command=command,
        ),
    )


def about_rsync(command: str, found: Examined) -> Trouble:
    """What is wrong with the rsync of this server."""
    return Trouble(
        EventKind.PROGRAM_UNUSABLE,
        say("rsync does not work on the server"),
        say(
            "rsync does not work on the server, so nothing can be imported or "
            "exported: %(problem)s.",
            problem=_problem(found, say("another version")),
        ),
        say(
            "Install rsync, or name the program in rsync.command (now %(command)s).",
            command=command,
        ),
    )


def _problem(found: Examined, needed: str) -> str:
    if found.program is not None:
        return say(
            "it is version %(version)s, and %(needed)s is needed",
            version=found.program.version_text,
            needed=needed,
        )
    return found.problem or say("it is missing")


def about_children(confinement: Confinement) -> Trouble | None:
    """Try to start a program as sessions do; what is wrong where none starts. It blocks."""
    problem = _trial(confinement)
    if problem is None:
        return None
    return Trouble(
        EventKind.PROGRAM_UNUSABLE,
        say("No program can be started on the server"),
        say("The server cannot start programs for sessions, so no backup can be made."),
        say(
            "The error was: %(problem)s. Restart the server; `hive doctor` says what is missing.",
            problem=problem,
        ),
    )


def _trial(confinement: Confinement) -> str | None:
    program = next((path for path in ("/usr/bin/true", "/bin/true") if Path(path).exists()), None)
    if program is None:
        return None
    spec = ChildSpec(
        argv=(program,), environment={}, cwd=Path("/"), executable=(Path(program).resolve(),)
    )
    try:
        done = run_blocking(spec, confinement, seconds=_TRIAL_SECONDS)
    except subprocess.TimeoutExpired:
        return say("nothing within %(seconds).0f seconds", seconds=_TRIAL_SECONDS)
    except (OSError, Unavailable) as error:
        return str(error)[:300]
    if done.returncode == 0:
        return None
    words = " ".join(done.stderr.decode(errors="replace").split())[:300]
    return words or say("status %(status)s", status=done.returncode)
