"""Whether the clock can be trusted: what deletes, expires or reports something late asks here.

The server looks at both clocks at every question, so that nothing slips in between a jump and the
next look; commands hold theirs against what the server has stored. hive/timekeeping.py has the
rules, hive/services/server/clock_watch.py tells of a jump and of its end.
"""

from __future__ import annotations

import ctypes
import functools
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hive import clock, memory
from hive.database import transactional
from hive.errors import Conflict
from hive.models import ClockState
from hive.services import audit
from hive.services.permissions import Actor, require_operator
from hive.timekeeping import ClockReading, Doubt, Timekeeping, after, from_json, to_json

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NOT_SYNCHRONISED = 0x40  # STA_UNSYNC of <sys/timex.h>
_STATUS_OFFSET = 40  # of struct timex, on 64-bit machines
_ROW = 1


@dataclass
class _Server:
    """What the running server knows; commands have none."""

    known: Timekeeping
    confirmations: int
    ended: Doubt | None = None  # one that is over, for the watch


@dataclass
class _Memory:
    server: _Server | None = None


def _server() -> _Server | None:
    return memory.of(_Memory).server


async def start() -> None:
    """Begin to keep the time in this process, the server."""
    row = await ClockState.get_or_none(id=_ROW)
    known = after(_stored(row), reading(), is_synchronised=is_synchronised())
    memory.of(_Memory).server = _Server(known, row.confirmations if row else 0)
    await store()


async def is_trusted() -> bool:
    """Whether the clock can be trusted just now."""
    return await doubt() is None


async def doubt() -> Doubt | None:
    """Why the clock cannot be trusted just now; None where it can."""
    server = _server()
    if server is not None:
        return _look(server).doubt
    row = await ClockState.get_or_none(id=_ROW)
    if row is None:
        return None
    return after(_stored(row), reading(), is_synchronised=is_synchronised()).doubt


def estimated() -> datetime:
    """What time it is; after a jump, what it would be without that."""
    server = _server()
    if server is None:
        return clock.now()
    return _look(server).estimate(reading())


def latest() -> datetime:
    """The later of the time that the clock shows and the estimated one."""
    return max(clock.now(), estimated())


def take_ended() -> Doubt | None:
    """The doubt that has ended since the last call, if there is one."""
    server = _server()
    if server is None:
        return None
    ended, server.ended = server.ended, None
    return ended


def _look(server: _Server) -> Timekeeping:
    former = server.known
    seen = reading()
    synchronised = is_synchronised() if former.doubt is not None else None
    server.known = after(former, seen, is_synchronised=synchronised)
    if former.doubt is not None and server.known.doubt is None:
        server.ended = former.doubt
    return server.known


@transactional
async def store() -> bool:
    """Keep how the clock stands, and read it back; whether the same came back."""
    server = _server()
    if server is None:
        return True
    row = await ClockState.get_or_none(id=_ROW)
    if row is not None and row.confirmations > server.confirmations:
        _confirm(server, row.confirmations)
    known = _look(server)
    values: dict[str, Any] = {
        "wall": known.last.wall,
        "elapsed": known.last.elapsed,
        "boot": known.last.boot,
        "doubt": to_json(known.doubt),
    }
    await ClockState.update_or_create(id=_ROW, defaults=values)
    written = await ClockState.get(id=_ROW)
    return written.wall == known.last.wall


@transactional
async def confirm(actor: Actor) -> datetime:
    """Trust the clock as it is now; an administrator has looked at it."""
    require_operator(actor)
    now = reading()
    if await doubt() is None:
        raise Conflict("The clock is trusted already.")
    row = await ClockState.get(id=_ROW)
    row.confirmations += 1
    row.wall, row.elapsed, row.boot, row.doubt = now.wall, now.elapsed, now.boot, None
    await row.save()
    server = _server()
    if server is not None:
        _confirm(server, row.confirmations)
    await audit.record(actor, "clock.confirm", f"the time is {clock.rfc3339(now.wall)}")
    return now.wall


def _confirm(server: _Server, confirmations: int) -> None:
    server.confirmations = confirmations
    server.ended = server.known.doubt or server.ended
    server.known = Timekeeping(reading())


def _stored(row: ClockState | None) -> Timekeeping | None:
    if row is None:
        return None
    return Timekeeping(ClockReading(row.wall, row.elapsed, row.boot), from_json(row.doubt))


def reading() -> ClockReading:
    """Both clocks, now."""
    return ClockReading(clock.now(), clock.elapsed(), _boot())


@functools.cache
def _boot() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()[:64]
    except OSError:
        return "unknown"


def is_synchronised() -> bool | None:
    """What adjtimex(2) says of the clock; None where it cannot be asked. Nothing is changed."""
    if ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    timex = ctypes.create_string_buffer(512)  # modes is 0: only read
    try:
        if ctypes.CDLL(None, use_errno=True).adjtimex(timex) < 0:
            return None
    except (OSError, AttributeError):
        return None
    status = int.from_bytes(timex.raw[_STATUS_OFFSET : _STATUS_OFFSET + 4], "little")
    return not status & _NOT_SYNCHRONISED
