"""The processes of this installation, by what they carry in their environment.

Every one that may hold a lock carries the host id, which a copy of the data directory shares; and
the token of the server that started it (hive/services/installation/identity.py), which no copy
does.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

RUN = "BORG_HIVE_RUN"  # the variable of the token

_PROC = Path("/proc")
_STARTED = 19  # among the words behind the name in /proc/PID/stat


def of_run(token: str) -> list[int]:
    """All other processes that a server with this token started. Blocking."""
    wanted = f"{RUN}={token}".encode()
    found = []
    for entry in _PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            if wanted in _environment(int(entry.name)):
                found.append(int(entry.name))
    return found


def is_dead(pid: int, host_id: str) -> bool:
    """Whether the process is gone, or its number has gone to one of another kind.

    False where that cannot be seen: another user's process is taken to be alive.
    """
    try:
        environment = _environment(pid)
    except (FileNotFoundError, ProcessLookupError):
        return True
    except OSError:
        return False
    # a zombie has no environment any more, and holds nothing
    return _variable(host_id) not in environment


def mark(pid: int) -> str:
    """The process and when it began: numbers of processes are used again. Blocking."""
    try:
        words = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return str(pid)
    return f"{pid}:{words[_STARTED]}"


def is_marked_alive(marked: str) -> bool:
    """Whether the process of this mark is still there. Blocking."""
    pid, colon, _ = marked.partition(":")
    return bool(colon) and pid.isdigit() and mark(int(pid)) == marked


def _variable(host_id: str) -> bytes:
    return f"BORG_HOST_ID={host_id}".encode()


def _environment(pid: int) -> list[bytes]:
    return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
