"""The job that gives existing repositories to the account that programs run as.

A server that ran as root before, or as somebody else, left files of another owner. A session that
comes before the job has its repository given first.
"""

from __future__ import annotations

import asyncio
import functools
import os
import pwd
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hive import log, memory
from hive.errors import AccessRefused, RefusalCause, StorageError
from hive.models import Repository
from hive.process import ownership
from hive.process.spec import RunAs
from hive.sentences import say
from hive.services import runtime
from hive.services.checks import Check
from hive.services.repositories import infos as repository_infos
from hive.services.storage import places, preparing
from hive.services.storage.paths import Place

JOB = "hand over repositories"

logger = log.get(__name__)

_BATCH = 100
_SOON = 3.0  # seconds until a client gets a message, and until it is sent away
_LONGEST = 900.0
# Walks take long: separate threads, so that nothing else waits for them.
_walkers = ThreadPoolExecutor(4, thread_name_prefix="hand-over")


@dataclass
class _Memory:
    owner: RunAs | None = None  # appointed by the server, which has tried it


def use(owner: RunAs | None) -> None:
    """Whom repositories of this server must belong to; None: leave them as they are."""
    memory.of(_Memory).owner = owner


def stop() -> None:
    """End the current work soon; the next start continues it."""
    ownership.stop()


async def prepare(
    where: Place, owner: RunAs | None, *, staging: bool, tell: Callable[[str], None]
) -> None:
    """Prepare the storage for a session; if that takes long, its client learns why it waits.

    AccessRefused where it takes too long for any client; it goes on all the same.
    """
    walk = asyncio.get_running_loop().run_in_executor(
        _walkers, functools.partial(preparing.prepare, where, owner, staging=staging)
    )
    done, _ = await asyncio.wait({walk}, timeout=_SOON)
    if not done:
        tell(
            "The files of this repository are being given to the account that serves it, once and"
            " for all: please wait."
        )
        done, _ = await asyncio.wait({walk}, timeout=_LONGEST)
    if not done:
        walk.add_done_callback(_note_late_end)
        raise AccessRefused(
            "The files of this repository are still being given to the account that serves it: try"
            " again in an hour.",
            RefusalCause.BUSY,
        )
    walk.result()


def _note_late_end(walk: asyncio.Future[None]) -> None:
    error = None if walk.cancelled() else walk.exception()
    if error is not None:
        logger.error("a repository cannot be handed over", reason=str(error))


async def hand_over_all() -> int:
    """Give every repository that is somebody else's; how many were. One that cannot be stops none.

    Raises StorageError in the end for those that could not be.
    """
    owner = memory.of(_Memory).owner or _by_settings()
    given, failed, loop = 0, [], asyncio.get_running_loop()
    async for place in _waiting(owner):
        assert owner is not None  # noqa: S101 - nothing waits without one
        try:
            count = await loop.run_in_executor(_walkers, preparing.hand_over, place, owner)
        except StorageError as error:
            failed.append(error.message)
            continue
        given += 1
        logger.info("a repository was handed over", repository=place.login, things=count)
    if failed:
        raise StorageError(
            "%(count)s of the repositories could not be handed over: %(failed)s.",
            count=len(failed),
            failed=failed[0],
        )
    return given


async def findings(owner: RunAs | None) -> list[Check]:
    """How many repositories wait for the job, if any do."""
    waiting = [place async for place in _waiting(owner)]
    if not waiting:
        return []
    message = (
        say(
            "1 repository, %(path)s, belongs to another user than the one programs run as",
            path=waiting[0].home,
        )
        if len(waiting) == 1
        else say(
            "%(count)s repositories, for example %(path)s, belong to another user "
            "than the one programs run as",
            count=len(waiting),
            path=waiting[0].home,
        )
    )
    remedy = say(
        "A background job of the server does that: `hive job run %(job)s` starts it now.",
        job=JOB.replace(" ", "-"),
    )
    return [Check("warning", say("Hand-over"), message, remedy)]


async def _waiting(owner: RunAs | None) -> AsyncIterator[Place]:
    last = 0
    while owner is not None:
        rows = Repository.filter(deleted_at=None, id__gt=last).order_by("id").limit(_BATCH)
        rows = rows.exclude(location_id__in=await places.away_ids())
        batch = await rows.select_related("location")
        if not batch:
            return
        last = batch[-1].id
        found = [repository_infos.place_of(row) for row in batch]
        for place in await asyncio.to_thread(_not_given, found, owner):
            yield place


def _not_given(found: list[Place], owner: RunAs) -> list[Place]:
    return [place for place in found if not preparing.is_handed_over(place, owner)]


def _by_settings() -> RunAs | None:
    """For a command without a server: the account that the server would take."""
    child = runtime.settings().child
    if os.geteuid() != 0 or child.allow_root:
        return None
    try:
        account = pwd.getpwnam(child.user)
    except KeyError:
        return None
    return RunAs(account.pw_uid, account.pw_gid) if account.pw_uid and account.pw_gid else None
