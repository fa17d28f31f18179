"""Taking secrets out of logs that are kept: what would let a reader act as the one who wrote them.

The text is the client's and up to a megabyte long, so every rule takes time that grows with the
length alone: no pattern backtracks, and none sees more than a window at once (hive/off_loop.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MASK = "***"

_WINDOW = 16 * 1024
_LONGEST_HEAD = 256  # of every pattern of heads


@dataclass(frozen=True)
class _Rule:
    """A secret is a run of the characters of `secret` behind `head`, and what is in `filler`."""

    head: re.Pattern[str]
    secret: re.Pattern[str]
    least: int = 1  # characters; what is shorter is no secret
    filler: re.Pattern[str] | None = None
    before: str = ""  # what has to follow


_RULES = (
    # our own report addresses and those of the services that clients report to
    _Rule(
        head=re.compile(r"/ping/|/api/push/|hc-ping\.com/|/p/"),
        filler=re.compile(r"/*"),
        secret=re.compile(r"[A-Za-z0-9_\-%.]*"),
        least=8,
    ),
    _Rule(
        head=re.compile(r"://[^\s/:@\"']{0,100}:"),
        secret=re.compile(r"[^\s/@\"']*"),
        before="@",
    ),
    _Rule(
        head=re.compile(
            r"\b(?:BORG_(?:NEW_)?PASSPHRASE|BORG_KEY|access_token|api_key|token|password)[\"']?"
            r"\s{0,3}[=:]\s{0,3}[\"']?",
            re.IGNORECASE,
        ),
        secret=re.compile(r"[^\s\"'&,;]*"),
    ),
    _Rule(
        head=re.compile(r"\bBearer\s", re.IGNORECASE),
        secret=re.compile(r"[A-Za-z0-9._~+/=-]*"),
        least=4,
    ),
)


def redact(text: str, *secrets: str) -> str:
    """Return `text` without these secrets and without what looks like one. Blocking when long."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, MASK)
    for rule in _RULES:
        text = _masked(text, rule)
    return text


def _masked(text: str, rule: _Rule) -> str:
    pieces, copied, position = [], 0, 0
    while position < len(text):
        window = position + _WINDOW
        found = rule.head.search(text, position, window + _LONGEST_HEAD)
        if found is None or found.start() >= window:
            position = window
            continue
        start = found.end()
        if rule.filler is not None:
            start = _end_of_run(rule.filler, text, start)
        end = _end_of_run(rule.secret, text, start)
        if end - start < rule.least or not text.startswith(rule.before, end):
            position = found.start() + 1
            continue
        pieces += [text[copied:start], MASK]
        position = copied = end
    return "".join([*pieces, text[copied:]])


def _end_of_run(run: re.Pattern[str], text: str, start: int) -> int:
    """Return where the run of characters ends that begins at `start`, looked at in windows."""
    end = start
    while found := run.match(text, end, end + _WINDOW):
        if found.end() < end + _WINDOW:
            return found.end()
        end = found.end()
    return end
