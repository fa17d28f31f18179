"""What to run, and what the server lets it do: the words for hive/process/child.py."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class RunAs:
    """The account that programs run as, with this one group and no further ones."""

    uid: int
    gid: int


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one program may take at most; None leaves a limit as it is for the server.

    `processes` counts all that belong to the user the program runs as, not its own alone.
    `nice` comes on top of the server's; `io_level` goes from 0 (first) to 7.
    """

    file_bytes: int | None = None
    open_files: int | None = None
    memory_bytes: int | None = None
    processes: int | None = None
    nice: int = 0
    io_class: Literal["best-effort", "idle"] = "best-effort"
    io_level: int = 4


@dataclass(frozen=True, kw_only=True)
class ChildSpec:
    """What to run and what it may touch; all paths are absolute and resolved.

    `removable` are directories whose empty subdirectories may be removed, and nothing else.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: Path
    writable: tuple[Path, ...] = ()
    readable: tuple[Path, ...] = ()
    executable: tuple[Path, ...] = ()
    removable: tuple[Path, ...] = ()
    symlinks: bool = False
    limits: Limits = Limits()
    umask: int = 0o077


@dataclass(frozen=True, kw_only=True)
class Confinement:
    """What the server found out that it can apply here.

    `mounts` gives a program a file system with its own places only, `system_calls` refuses it
    those that it never needs. Without `allow_root` nothing runs as root.
    """

    landlock: bool
    user: RunAs | None
    mounts: bool = False
    system_calls: bool = False
    allow_root: bool = False

    @property
    def owner(self) -> RunAs | None:
        """Whom the files of sessions must belong to; None: to the server's own user, as they do.

        Root without capabilities may no more than its owner with files of somebody else.
        """
        return self.user or (RunAs(0, 0) if os.geteuid() == 0 else None)

    @property
    def holds_files(self) -> bool:
        """Whether a program reaches no file but its own, whatever it is made to try."""
        return self.landlock or self.mounts
