"""Alarms about disks: notify administrators before one is full, when it is, and afterwards."""

from __future__ import annotations

from hive import clock, log, signals
from hive.database import after_commit, transactional
from hive.kinds import EventKind, Severity
from hive.models import Alarm
from hive.sentences import Size, say
from hive.services.alarms.rules import DISK_STEPS
from hive.services.outbox import outbox
from hive.services.storage import disks
from hive.services.storage.disks import FULL, Space

logger = log.get(__name__)


async def check_disks() -> None:
    """Notify when a disk passes a step; call outside of transactions."""
    found = await disks.all_disks()
    await _forget_others([str(disk.paths[0]) for disk in found])
    for disk in found:
        if disk.space is None:
            logger.error("the disk cannot be measured", root=disk.name, reason=disk.error)
            continue
        await _note(str(disk.paths[0]), disk.name, disk.space)


@transactional
async def _forget_others(roots: list[str]) -> None:
    """Forget alarms of disks that are no longer ours, or that go by another of their paths now."""
    rows = Alarm.filter(kind=EventKind.DISK_FILLING).exclude(subject__in=roots)
    if await rows.exists():
        await rows.delete()


@transactional
async def _note(root: str, name: str, space: Space) -> None:
    row = await Alarm.filter(subject=root, kind=EventKind.DISK_FILLING).first()
    former = row.level if row is not None else 0
    level = space.level(former)
    details = {
        "used_bytes": space.used_bytes,
        "total_bytes": space.total_bytes,
        "reserve_bytes": space.reserve_bytes,
        "percent": round(space.percent, 1),
    }
    message = _message(name, space, level)
    if level == 0:
        await Alarm.filter(subject=root, kind=EventKind.DISK_FILLING).delete()
    else:
        row = row or Alarm(subject=root, kind=EventKind.DISK_FILLING, since=clock.now())
        row.level, row.message, row.details = level, message, details
        await row.save()
    is_open_again = former >= FULL > level
    if level == former or not (level > former or level == 0 or is_open_again):
        return
    await _notify_administrators(root, name, level, message, is_over=level < former)
    happening = signals.DiskAlarm(
        at=clock.now(), root=root, level=level, message=message, details=details
    )
    after_commit(lambda: signals.tell(happening))
    log_it = logger.warning if level else logger.info
    after_commit(lambda: log_it(message))


def _message(name: str, space: Space, level: int) -> str:
    if level >= FULL:
        return say(
            "The disk of %(name)s is full: %(space)s. Backups are refused; listing, "
            "restoring, deleting and compacting still work. Delete archives and "
            "compact, delete repositories, or add a disk.",
            name=name,
            space=space.words,
        )
    return say(
        "The disk of %(name)s is %(percent).0f %% full: %(free)s are free. Below "
        "%(reserve)s, backups are refused.",
        name=name,
        percent=space.percent,
        free=Size(space.free_bytes),
        reserve=Size(space.reserve_bytes),
    )


async def _notify_administrators(
    root: str, name: str, level: int, message: str, *, is_over: bool
) -> None:
    """A disk belongs to no repository: the administrators are notified."""
    severity = Severity.CRITICAL if level >= DISK_STEPS[-1] else Severity.WARNING
    what = (
        say("full, backups are refused")
        if level >= FULL
        else say("%(percent)s %% are used", percent=level)
    )
    if is_over:
        severity = Severity.RECOVERY
        what = say("there is room again") if level == 0 else say("backups are accepted again")
    await outbox.tell_administrators(
        f"disk:{root[:80]}:{level}:{clock.rfc3339(clock.now())}",
        EventKind.DISK_FILLING,
        severity,
        say("Disk of %(name)s: %(what)s", name=name, what=what),
        message,
        ends=(EventKind.DISK_FILLING,) if is_over else (),
        subject=f"disk:{root}",
    )
