"""What a look at this installation finds, for start-up and `hive doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; `remedy` says what to do about it, if anything."""

    level: Literal["ok", "warning", "error"]
    subject: str
    message: str
    remedy: str | None = None
