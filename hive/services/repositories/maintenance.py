"""Maintenance: a repository's time without sessions, while something is put in place there."""

from __future__ import annotations

from hive import signals
from hive.database import transactional
from hive.errors import Conflict
from hive.kinds import Need
from hive.models import Repository, Session
from hive.sentences import N_
from hive.waiting import until

VERIFYING = N_("an import is being verified")
PUTTING_IN_PLACE = N_("an import is being put in place")
SWITCHING = N_("its mode is being switched")
RESTORING_CONFIG = N_("its config is being restored")
CLEARING_LIMITS = N_("limits in its config are being cleared")
DISCARDING = N_("a staged import is being discarded")
CHECKING = N_("it is being checked")
COMPACTING = N_("it is being compacted")
MOVING = N_("it is being moved to another location")
ROLLING_BACK = N_("it is being rolled back")
UNFINISHED_ROLLBACK = N_("a rollback of it is not complete")

_UPKEEPS = (CHECKING, COMPACTING)
_STOP_SECONDS = 20.0


class BusyError(Conflict):
    """Another maintenance is in progress."""


@transactional
async def begin(repository_id: int, reason: str) -> None:
    """Keep sessions out; Conflict where one runs, or BusyError."""
    running = Session.filter(repository_id=repository_id, ended_at=None)
    if await running.exclude(need=Need.STATUS).exists():
        raise Conflict("A session is still running on this repository.")
    await claim(repository_id, reason)


@transactional
async def claim(repository_id: int, reason: str) -> None:
    """Let no session begin from now on; those that run go on. BusyError as for `begin`."""
    changed = await Repository.filter(id=repository_id, maintenance=None, deleted_at=None).update(
        maintenance=reason
    )
    if not changed:
        raise BusyError("This repository is busy already. Try again in a moment.")


async def interrupt_upkeep(repository_id: int) -> bool:
    """Have an upkeep that runs there stop, and wait until it has; False where none does.

    Sessions and what people ask for have precedence: an upkeep goes on later.
    """
    running = Repository.filter(id=repository_id, maintenance__in=_UPKEEPS)
    if not await running.exists():
        return False
    signals.tell(signals.GiveWay(repository_id))

    async def has_stopped() -> bool:
        return not await running.exists()

    return await until(has_stopped, seconds=_STOP_SECONDS, every=0.05)


@transactional
async def set_stage(repository_id: int, reason: str) -> None:
    """The next step of a maintenance that has begun."""
    await Repository.filter(id=repository_id).update(maintenance=reason)


@transactional
async def end(repository_id: int) -> None:
    """Let sessions in again.

    Whoever changed the repository has noted that before (`record.note_snapshot`): else it is told
    as a change past the gate.
    """
    await Repository.filter(id=repository_id).update(maintenance=None)
