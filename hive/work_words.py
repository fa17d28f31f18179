"""How far long work is, as sentences: for pages, which translate them, and for terminals."""

from __future__ import annotations

from datetime import timedelta

from hive.long_work import WorkInfo
from hive.meter import Reading, Unit
from hive.sentences import Size, join, say

_MINUTE = timedelta(minutes=1)


def amount(reading: Reading | None) -> str:
    """1904 of 2811 segments; empty where nothing is known."""
    if reading is None:
        return ""
    done: int = reading.done
    total: int | None = reading.total
    if total is None:
        return say("%(done)s files so far", done=done) if reading.unit == Unit.FILES else ""
    match reading.unit:
        case Unit.SEGMENTS:
            return say("%(done)s of %(total)s segments", done=done, total=total)
        case Unit.PACKS:
            return say("%(done)s of %(total)s packs", done=done, total=total)
        case Unit.FILES:
            return say("%(done)s of %(total)s files", done=done, total=total)
        case Unit.BYTES:
            return say("%(done)s of %(total)s read", done=Size(done), total=Size(total))


def left(info: WorkInfo) -> str:
    """About 40 minutes left; empty where its pace says too little."""
    if info.left is None:
        return ""
    if info.left < _MINUTE:
        return say("less than a minute left")
    return say("about %(span)s left", span=info.left)


def percent(info: WorkInfo) -> str:
    """68 %; empty where the whole is not known."""
    return "" if info.percent is None else say("%(percent)s %%", percent=info.percent)


def in_words(info: WorkInfo) -> str:
    """68 %, 1904 of 2811 segments, about 40 minutes left; as much of it as is known."""
    return join(percent(info), amount(info.reading), left(info), by=", ")
