"""What the page of the server itself shows, asked for with one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hive.services.checks import Check
from hive.services.clock import trust
from hive.services.permissions import Actor
from hive.services.server import about, doctor
from hive.services.server.about import About

_ORDER = ("error", "warning", "ok")


@dataclass(frozen=True, kw_only=True)
class ServerCondition:
    """`checks` has the worst first; `problems` counts those that are not fine."""

    about: About
    is_clock_doubted: bool
    checks: Sequence[Check]
    problems: int


async def server_condition(actor: Actor) -> ServerCondition:
    """For administrators."""
    described = about.about(actor)
    checks = await doctor.examine_running(actor)
    return ServerCondition(
        about=described,
        is_clock_doubted=not await trust.is_trusted(),
        checks=sorted(checks, key=lambda one: _ORDER.index(one.level)),
        problems=sum(one.level != "ok" for one in checks),
    )
