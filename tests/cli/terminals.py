"""`hive` on a real terminal of a given width."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

SECONDS = 60


def at_terminal(
    data: Path,
    *words: str,
    columns: int = 80,
    typed: Sequence[tuple[str, str]] = (),
    **environment: str,
) -> tuple[int, str]:
    """Run a command on a terminal of so many columns; its exit status and what it showed.

    typed  what is typed once the command has shown the words before it
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    base = {"PATH": os.environ["PATH"], "HOME": str(data), "HIVE_DATA_DIR": str(data)}
    running = subprocess.Popen(
        [sys.executable, "-m", "hive", *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**base, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **environment},
        start_new_session=True,
    )
    os.close(theirs)
    shown, waiting = b"", list(typed)
    with suppress(OSError):  # the other side is closed
        while piece := os.read(ours, 65536):
            shown += piece
            if waiting and shown.endswith(waiting[0][0].encode()):
                os.write(ours, waiting.pop(0)[1].encode())
    os.close(ours)
    return running.wait(SECONDS), shown.decode().replace("\r\n", "\n")
