"""How borg checks and compacts a repository without its passphrase, and when it is through. Pure.

A check of borg 1 without a limit compares the index with the segments as well; one with a limit
checks the segments, and goes on behind the last one that an earlier check has noted in the
config. borg 2 notes for each pack when it was found intact, and skips what is young enough.
Compacting is for borg 1 only: borg 2 has to read the archives for it, which takes the passphrase.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hive.borg import progress

_LOCK_WAIT = 5  # seconds; the gate keeps its sessions out, an administrator's borg may be there
_NOTE = "last_segment_checked"
GOOD, ERRORS_FOUND = 0, 1  # exit statuses of `borg check`


def check_argv(borg: str, path: Path, *, is_borg2: bool, seconds: int | None = None) -> list[str]:
    """A check of everything, or one of so many seconds that goes on where the last stopped."""
    limit = [] if seconds is None else [f"--max-duration={seconds}"]
    words = ["check", "--repository-only", f"--lock-wait={_LOCK_WAIT}", *progress.OPTIONS, *limit]
    return [borg, "-r", str(path), *words] if is_borg2 else [borg, *words, str(path)]


def continued_argv(borg: str, path: Path, *, seconds: int, since_seconds: int) -> list[str]:
    """The next part of a borg 2 check that began so long ago."""
    argv = check_argv(borg, path, is_borg2=True, seconds=seconds)
    return [*argv, f"--max-age={max(1, since_seconds)}S"]


def compact_argv(borg: str, path: Path) -> list[str]:
    return [borg, "compact", f"--lock-wait={_LOCK_WAIT}", *progress.OPTIONS, str(path)]


def is_part_noted(config: bytes) -> bool:
    """Whether the config of a borg 1 repository says that a check stopped before the end."""
    return any(line.startswith(_NOTE.encode()) for line in config.splitlines())


def without_note(config: bytes) -> bytes:
    """The config but for how far a check has come: what two versions are compared by."""
    lines = config.splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(_NOTE.encode()))


def problems_in(output: str, most: int = 20) -> list[str]:
    """What a check that found errors says of them; its last line is only a summary."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[:most] + ([f"... {len(lines) - most} more lines"] if len(lines) > most else [])


def in_a_sentence(problems: Sequence[str]) -> str:
    return "; ".join(problems)[:600]
