"""Plain text for services that read Markdown."""

from __future__ import annotations

import re

from hive.notify.message import ELLIPSIS

_SPECIAL = re.compile(r"[\\`*_~|<>\[\]()#!:-]")


def escape(text: str, most: int) -> str:
    """`text`, shown as it is; at most `most` characters with what escaping adds."""
    # one character more than there is room for, so that it shows whether there are more
    pieces = [_SPECIAL.sub(r"\\\g<0>", char) for char in text[: most + 1]]
    if sum(map(len, pieces)) <= most:
        return "".join(pieces)
    length, kept = len(ELLIPSIS), []
    for piece in pieces:
        length += len(piece)
        if length > most:
            break
        kept.append(piece)
    return "".join(kept) + ELLIPSIS
