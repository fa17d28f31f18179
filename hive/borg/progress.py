"""Separates the progress that borg reports with `--progress --log-json` from its messages.

Each line on standard error is a JSON object then. Figures are handed on, messages become the
lines that borg prints without these options, and anything that is not JSON stays as it is.
"""

from __future__ import annotations

import json
from typing import Any

from hive.meter import Meter, Unit

OPTIONS = ("--progress", "--log-json")
# What is worth a figure, by borg's own name of it. The rest is over soon, or prepares it.
_COUNTED = {
    "repository.check": Unit.SEGMENTS,
    "repository.compact_segments": Unit.SEGMENTS,
    "check.packs": Unit.PACKS,
}
_LONGEST_LINE = 64 * 1024  # bytes; borg's own are far shorter


class ProgressReader:
    """Moves a meter by what borg writes, and gives the rest as text."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """The text of all lines that are complete now."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        text = b"".join(self._line(line) for line in lines)
        if len(self._rest) > _LONGEST_LINE:
            text, self._rest = text + self._rest, b""
        return text

    def end(self) -> bytes:
        """The text of a last line that has no end."""
        rest, self._rest = self._rest, b""
        return self._line(rest) if rest else b""

    def _line(self, line: bytes) -> bytes:
        said = _decoded(line)
        if said is None:
            return line + b"\n"
        if said.get("type") == "progress_percent":
            self._count(said)
            return b""
        message = said.get("message")
        if said.get("type") != "log_message" or not isinstance(message, str):
            return b""
        return message.encode(errors="replace") + b"\n"

    def _count(self, said: dict[str, Any]) -> None:
        unit = _COUNTED.get(str(said.get("msgid")))
        current, total = said.get("current"), said.get("total")
        # borg reports the end without figures, also if a check with a time limit stops early
        if unit is None or not isinstance(current, int) or not isinstance(total, int):
            return
        if total > 0:
            self._meter.reach(max(0, current - 1), total, unit)  # the current one is under way


def _decoded(line: bytes) -> dict[str, Any] | None:
    if not line.startswith(b"{"):
        return None
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None
