"""Backups that added suspiciously little: an empty mount point, a wrong path, a list of excludes.

What an archive holds cannot be seen; what it took can. A backup without changes puts one object,
its description, and so does one of an empty source. So only what differs from a usual day is told:

- the description is shorter than those before: it lists fewer pieces of the list of files;
- besides it, there is one new piece of that list, too short for more than one file;
- nothing was added, though at least half of the backups before added 1 MB or more.

It is told when it begins, not again each day. It is over with the next backup that adds something,
or when a person says that it is as it should be.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from hive.borg.observed import Observed
from hive.database import transactional
from hive.errors import Conflict
from hive.kinds import ArchiveCreated, EventKind, Level
from hive.models import Alarm, Session
from hive.sentences import Size, say
from hive.services import audit
from hive.services.alarms import alarms
from hive.services.permissions import Actor, repository_for

_LITTLE = 2048  # bytes: the description of an archive, and hardly anything else
_ONE_ENTRY = 256  # bytes of a list with one entry, the directory itself
_MUCH = 1_000_000
_SOMETHING = 100_000
_PIECE = 24  # bytes of 34 by which a description without a piece of the list is shorter
_MOST_FORMER = 7
_ENOUGH = 3  # to say what is usual


@dataclass(frozen=True)
class BackupSize:
    """What a backup put: objects and their bytes; how long the description of its archive is."""

    puts: int
    put_bytes: int
    description: int

    @property
    def is_little(self) -> bool:
        return self.puts <= 2 and self.put_bytes < _LITTLE + self.description


def suspicion(now: BackupSize, former: list[BackupSize]) -> str | None:
    """Why this backup looks wrong beside those before, the newest first; None where it does not.

    Pure.
    """
    if not now.is_little or not former or former[0].is_little:
        return None
    if max(one.put_bytes for one in former) >= _SOMETHING and _seems_empty(now, former):
        return say("its source seems to be empty")
    usual = median(one.put_bytes for one in former)
    if len(former) >= _ENOUGH and usual >= _MUCH:
        return say("it added almost nothing; %(usual)s are usual", usual=Size(int(usual)))
    return None


def _seems_empty(now: BackupSize, former: list[BackupSize]) -> bool:
    rest = now.put_bytes - now.description
    if now.puts == 2:
        return rest <= _ONE_ENTRY
    shortest = min(one.description for one in former)
    longest = max(one.description for one in former)
    # names of other lengths, or noise put in on purpose, are no evidence
    return longest - shortest < _PIECE and now.description <= shortest - _PIECE


async def judge(session: Session) -> None:
    """Look at a backup that has just been made; call in the transaction that closes its session."""
    now = _size(session)
    if now is None:
        return
    if not now.is_little:
        await alarms.end(
            session.repository_id, EventKind.SMALL_BACKUP, say("A backup added something again.")
        )
        return
    rows = Session.filter(
        repository_id=session.repository_id,
        key_fingerprint=session.key_fingerprint,
        archive_created=ArchiveCreated.YES,
        undone_at=None,
        id__lt=session.id,
    )
    former = [_size(row) for row in await rows.order_by("-id").limit(_MOST_FORMER)]
    why = suspicion(now, [one for one in former if one is not None])
    if why is not None:
        await alarms.begin(
            session.repository_id,
            EventKind.SMALL_BACKUP,
            say(
                "Key %(key)s made a suspiciously small backup: %(why)s.",
                key=session.key_name,
                why=why,
            ),
            session_id=session.id,
            added_bytes=now.put_bytes,
            added_objects=now.puts,
        )


def _size(session: Session) -> BackupSize | None:
    observed = Observed.of(session.observed)
    if observed is None or observed.committed is None or observed.archive_bytes is None:
        return None
    return BackupSize(observed.committed.puts, observed.committed.put_bytes, observed.archive_bytes)


@transactional
async def dismiss(actor: Actor, repository_id: int) -> None:
    """Somebody who may manage the repository says that the small backup is as it should be."""
    repository = await repository_for(actor, repository_id, Level.MANAGE)
    alarm = Alarm.filter(repository_id=repository_id, kind=EventKind.SMALL_BACKUP)
    if not await alarm.exists():
        raise Conflict("There is no suspiciously small backup to dismiss.")
    await alarms.end(
        repository_id, EventKind.SMALL_BACKUP, say("Dismissed by %(user)s.", user=actor.name)
    )
    await audit.record(
        actor,
        "repository.dismiss-small-backup",
        audit.name_of(repository),
    )
