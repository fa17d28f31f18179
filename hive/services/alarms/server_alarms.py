"""Alarms about the server itself, or a place or program that it uses.

Each watcher reports what it sees, each time that it looks. The first report of a
trouble notifies the administrators, and so does its end. What is wrong is kept in memory as well,
so that it is shown while the database cannot be written; it is stored with the next report.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hive import clock, log, memory
from hive.database import transactional
from hive.driver_error import DriverError
from hive.errors import HiveError
from hive.kinds import EventKind, Severity
from hive.models import Alarm
from hive.sentences import join, load, say, store
from hive.services.checks import Check
from hive.services.outbox import outbox

logger = log.get(__name__)

_LONGEST = 2_000  # characters of a sentence among the details


@dataclass(frozen=True)
class Trouble:
    """What is wrong, in words for administrators; `title` is the subject of a mail.

    `message` is for everybody who sees the overview of an administrator and for /healthz: it names
    no path. `is_outage` where backups cannot come in, so that /healthz is 503. `unknown` where
    nothing can be said of repositories meanwhile: the word that they show instead of their health,
    those of `location_id` or, where that is None, all.
    """

    kind: EventKind
    title: str
    message: str
    remedy: str = ""
    severity: Severity = Severity.CRITICAL
    is_outage: bool = True
    unknown: str = ""
    location_id: int | None = None

    @property
    def words(self) -> str:
        return join(self.message, self.remedy)

    @classmethod
    def of(cls, row: Alarm) -> Trouble:
        kept = row.details
        location_id = kept.get("location_id")
        return cls(
            kind=row.kind,
            title=load(str(kept.get("title", row.kind))),
            message=row.message,
            remedy=load(str(kept.get("remedy") or "")),
            severity=Severity.CRITICAL if row.level >= CRITICAL_LEVEL else Severity.WARNING,
            is_outage=bool(kept.get("is_outage")),
            unknown=load(str(kept.get("unknown") or "")),
            location_id=location_id if isinstance(location_id, int) else None,
        )

    def store(self, row: Alarm) -> None:
        """Put it into a row of this kind, for commands, which are other processes."""
        row.level = CRITICAL_LEVEL if self.severity == Severity.CRITICAL else 1
        row.message = self.message
        row.details = {
            "title": store(self.title, _LONGEST),
            "remedy": store(self.remedy, _LONGEST),
            "is_outage": self.is_outage,
            "unknown": store(self.unknown, _LONGEST),
            "location_id": self.location_id,
        }


CRITICAL_LEVEL = 2  # of a row; lesser ones are 1


@dataclass
class _Memory:
    current: dict[str, Trouble] = field(default_factory=dict)
    # what could not be stored yet, be it over or not
    unstored: dict[str, Trouble] = field(default_factory=dict)


async def report(subject: str, trouble: Trouble | None) -> None:
    """Say how it stands with a subject ("program:borg", "location:3"): a trouble, or None."""
    current = memory.of(_Memory).current
    former = current.get(subject)
    if trouble is None:
        current.pop(subject, None)
    else:
        current[subject] = trouble
    if trouble != former:
        # that a message was not delivered is logged by the courier, or shown to who sent it
        is_logged = trouble is not None and trouble.kind != EventKind.CHANNEL_FAILING
        (logger.error if is_logged else logger.info)(
            trouble.message if trouble else "over", subject=subject
        )
    await _keep(subject, trouble)


async def _keep(subject: str, trouble: Trouble | None) -> None:
    """Store it; administrators learn later of what began and ended while nothing was stored."""
    unstored = memory.of(_Memory).unstored
    missed = unstored.get(subject)
    if trouble is not None:
        unstored[subject] = trouble
    try:
        if trouble is None and missed is not None:
            await _store(subject, missed)
        await _store(subject, trouble)
    except (HiveError, DriverError) as error:
        if trouble != missed:
            logger.error("an alarm cannot be stored", subject=subject, reason=str(error))
    else:
        unstored.pop(subject, None)


def is_on(subject: str) -> bool:
    """Whether something is known to be wrong with a subject."""
    return subject in memory.of(_Memory).current


def outages() -> list[str]:
    """What keeps backups out, in a sentence each, for /healthz."""
    return [trouble.message for trouble in memory.of(_Memory).current.values() if trouble.is_outage]


@dataclass(frozen=True)
class Unknowns:
    """Of which locations nothing can be said, and why; None stands for all."""

    words: tuple[tuple[int | None, str], ...] = ()

    def of(self, location_id: int) -> str:
        """Why nothing can be said of the repositories of a location, in a word or two."""
        return next((why for where, why in self.words if where in (None, location_id)), "")


def unknown(location_id: int) -> str:
    """What this process knows of that; others ask `unknowns`, as commands have to."""
    return _known().of(location_id)


def _known() -> Unknowns:
    return Unknowns(
        tuple(
            (one.location_id, one.unknown)
            for one in memory.of(_Memory).current.values()
            if one.unknown
        )
    )


async def unknowns() -> Unknowns:
    """Of which locations nothing can be said, as the server knows or has stored it."""
    found = [Trouble.of(row) for row in await Alarm.filter(repository_id=None)]
    stored = tuple((one.location_id, one.unknown) for one in found if one.unknown)
    return Unknowns(_known().words + stored)


async def recall() -> None:
    """Take what the server has stored; for commands, which watch nothing themselves."""
    rows = Alarm.filter(repository_id=None).exclude(kind=EventKind.DISK_FILLING)
    for row in await rows:
        if "title" in row.details:
            memory.of(_Memory).current[row.subject] = Trouble.of(row)


async def findings() -> list[Check]:
    """What `hive doctor` says of the alarms that are stored."""
    rows = await Alarm.filter(repository_id=None).exclude(kind=EventKind.DISK_FILLING)
    return [
        Check(
            "error" if row.level >= CRITICAL_LEVEL else "warning",
            say("Alarm"),
            row.message,
            Trouble.of(row).remedy or None,
        )
        for row in rows
    ]


@transactional
async def _store(subject: str, trouble: Trouble | None) -> None:
    row = await Alarm.filter(subject=subject, repository_id=None).first()
    if row is not None and (trouble is None or row.kind != trouble.kind):
        await row.delete()
        await _notify_over(row)
        row = None
    if trouble is None:
        return
    is_new = row is None
    row = row or Alarm(subject=subject, kind=trouble.kind, since=clock.now())
    trouble.store(row)
    await row.save()
    if is_new:
        await outbox.tell_administrators(
            f"{subject}:{clock.rfc3339(row.since)}"[:150],
            trouble.kind,
            trouble.severity,
            trouble.title,
            trouble.words,
            subject=subject,
        )


async def _notify_over(row: Alarm) -> None:
    await outbox.tell_administrators(
        f"{row.subject}:over:{clock.rfc3339(clock.now())}"[:150],
        row.kind,
        Severity.RECOVERY,
        say("Over: %(title)s", title=Trouble.of(row).title),
        say("This is resolved: %(message)s", message=row.message),
        ends=(row.kind,),
        subject=row.subject,
    )
