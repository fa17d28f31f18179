"""Foreign text in one line: nothing in it can start a line, move the cursor or pass for a field."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[A-Za-z0-9_./:@+,%\[\]-]+")


def escape(text: str) -> str:
    """`text` with everything that is not plainly visible written as an escape."""
    if text.isprintable():
        return text
    # of what cannot be printed, repr makes \n, \x1b, \u202e
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def show(value: object) -> str:
    """A value after its name: bare where nothing can be misread, else quoted as by repr."""
    text = value if isinstance(value, str) else str(value)
    if isinstance(value, bytes) or not _PLAIN.fullmatch(text):
        return escape(repr(value if isinstance(value, str | bytes) else text))
    return text
