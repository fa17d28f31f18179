"""The server as a place where programs run: which there are, and how they are confined.

borg is started for clients by the gate and for upkeep by the server itself: both run it like this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hive.config.settings import Settings
from hive.errors import Unavailable
from hive.process import found as processes
from hive.process.spec import ChildSpec, Confinement, Limits
from hive.services import runtime
from hive.services.checks import Check
from hive.services.permissions import SYSTEM
from hive.services.programs import child_account, confinement
from hive.services.programs import discovery as programs
from hive.services.programs.discovery import Program, Programs, program_roots
from hive.services.storage import locations
from hive.services.storage.paths import Place

_BACKGROUND_NICE = 10


@dataclass(frozen=True, kw_only=True)
class Host:
    """What is needed to start a program on this server.

    `shortcomings` say in words what of the confinement cannot be had here.
    """

    settings: Settings
    programs: Programs
    host_id: str
    confinement: Confinement
    shortcomings: tuple[str, ...] = ()
    run_token: str = ""  # by which a later server knows what this one started

    @property
    def may_run(self) -> bool:
        """Whether programs may be started: not where confinement is required and incomplete."""
        return not (self.settings.child.confinement == "require" and self.shortcomings)


async def inspect_host(settings: Settings) -> tuple[Host, list[Check]]:
    """Find the programs and try what confines them; with all that there is to say of it.

    Makes the account that they run as. Raises Unavailable where they would run as root.
    """
    await asyncio.to_thread(child_account.ensure, settings)
    found = await asyncio.to_thread(programs.find_programs, settings)
    found_places = await locations.list_locations(SYSTEM)
    roots = [location.root for location in found_places if location.problem is None]
    roots.append(settings.paths.scratch)
    assessment = await asyncio.to_thread(
        confinement.assess,
        confinement.Wishes.of(settings),
        roots=roots,
        programs=found.paths,
    )
    if assessment.refusal is not None:
        raise Unavailable(assessment.refusal)
    shortcomings = tuple(
        f"{finding.subject}: {finding.message}"
        for finding in assessment.findings
        if finding.level != "ok"
    )
    confined = assessment.confinement
    host = Host(
        settings=settings,
        programs=found,
        host_id=runtime.host_id(),
        confinement=confined,
        shortcomings=shortcomings,
        run_token=runtime.run_token(),
    )
    about_programs = programs.findings(found, settings, is_held=confined.holds_files)
    return host, [*about_programs, *assessment.findings]


def borg_child(
    place: Place,
    borg: Program,
    argv: Sequence[str],
    host: Host,
    *,
    is_background: bool = False,
) -> ChildSpec:
    """A borg that may touch this one repository; in the background it is last at disk and CPU."""
    allowed = limits(host.settings)
    if is_background:
        allowed = replace(allowed, nice=_BACKGROUND_NICE, io_class="idle")
    return ChildSpec(
        argv=tuple(argv),
        environment=environment(place, host),
        cwd=place.repository.resolve(),
        writable=(place.repository.resolve(), scratch(place, host)),
        executable=program_roots(borg.path),
        # `borg delete` removes the repository's own directory, which lies in the login's.
        removable=(place.home.resolve(),),
        limits=allowed,
    )


def scratch(place: Place, host: Host) -> Path:
    """Where a program keeps its home, caches and temporary files as long as it runs."""
    return (host.settings.paths.scratch / place.login).resolve()


def environment(place: Place, host: Host) -> dict[str, str]:
    home = str(scratch(place, host))
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        "BORG_BASE_DIR": home,
        "BORG_HOST_ID": host.host_id,
        processes.RUN: host.run_token,
    }


def limits(settings: Settings) -> Limits:
    child = settings.child
    return Limits(
        file_bytes=child.file_bytes,
        open_files=child.open_files,
        memory_bytes=child.memory_bytes,
        processes=child.processes,
        nice=child.nice,
        io_class=child.io_class,
        io_level=child.io_level,
    )
