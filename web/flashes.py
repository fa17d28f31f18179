"""What the page after a redirect says: kept here, so that nobody else can put words into it."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

_MAX_BROWSERS = 1000
_MAX_EACH = 5


@dataclass(frozen=True)
class Flash:
    text: str
    kind: Literal["done", "problem"] = "done"


class Flashes:
    """Messages that wait for the next page of a browser session; a restart forgets them."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[bytes, list[Flash]] = OrderedDict()

    def add(self, token: str, flash: Flash) -> None:
        waiting = self._waiting.setdefault(_digest(token), [])
        waiting.append(flash)
        del waiting[:-_MAX_EACH]
        while len(self._waiting) > _MAX_BROWSERS:
            self._waiting.popitem(last=False)

    def take(self, token: str) -> list[Flash]:
        return self._waiting.pop(_digest(token), [])


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
