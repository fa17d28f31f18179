"""Stopping a check or a compaction that runs or waits: it ends as stopped, not as failed."""

from __future__ import annotations

from hive import clock, signals
from hive.database import after_commit, transactional
from hive.errors import Conflict
from hive.kinds import Level, UpkeepKind, UpkeepState
from hive.models import Upkeep
from hive.sentences import say
from hive.services import audit
from hive.services.permissions import Actor, repository_for
from hive.services.upkeep.queue import OPEN, UpkeepInfo, info_of


@transactional
async def stop(actor: Actor, repository_id: int, kind: UpkeepKind) -> UpkeepInfo:
    """End it where it is; borg leaves the repository as it does when a session comes.

    Conflict where none runs or waits.
    """
    repository = await repository_for(actor, repository_id, Level.MANAGE)
    row = await Upkeep.filter(repository_id=repository_id, kind=kind, state__in=OPEN).first()
    if row is None:
        raise Conflict("It is over already: there is nothing to stop.")
    was_running = row.state == UpkeepState.RUNNING
    row.state, row.ended_at = UpkeepState.STOPPED, clock.now()
    row.message = (
        say("%(name)s stopped the check.", name=actor.name)
        if kind == UpkeepKind.CHECK
        else say("%(name)s stopped the compaction.", name=actor.name)
    )
    await row.save()
    await audit.record(actor, f"repository.stop-{kind}", audit.name_of(repository))
    if was_running:
        after_commit(lambda: signals.tell(signals.GiveWay(repository_id)))
    after_commit(lambda: signals.tell(signals.WorkProgress(repository_id, kind, is_change=True)))
    return info_of(row)
