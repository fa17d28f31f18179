"""Stands between a stock rsync and ssh, and changes what rsync says.

    remote_shell.py PLAN ARGUMENT-OF-RSYNC...

PLAN is a JSON file: `ssh` the command to run, `words` the remote command to send instead of
rsync's own (or null), `replace` pairs of hex strings of the same length to exchange in what the
client sends, `flip` a seed for turning single bits after the first kilobyte (or null).
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Any


def pump(plan: dict[str, Any], target: IO[bytes]) -> None:
    """Hand on what the client says, changed."""
    pairs = [(bytes.fromhex(old), bytes.fromhex(new)) for old, new in plan["replace"]]
    chance = None if plan["flip"] is None else random.Random(plan["flip"])  # noqa: S311
    passed = 0
    with suppress(BrokenPipeError), target:
        while data := os.read(0, 65536):
            for old, new in pairs:
                data = data.replace(old, new)
            if chance is not None and passed > 1000:
                changed = bytearray(data)
                changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
                data = bytes(changed)
            passed += len(data)
            target.write(data)
            target.flush()


def main() -> int:
    plan = json.loads(Path(sys.argv[1]).read_text())
    said = sys.argv[2:]
    command = [" ".join(said[said.index("rsync") :])] if plan["words"] is None else [plan["words"]]
    ssh = subprocess.Popen([*plan["ssh"], *command], stdin=subprocess.PIPE)
    os.close(1)  # so that rsync sees the end when ssh ends
    # The client may leave its end open until ssh is gone.
    threading.Thread(target=pump, args=(plan, ssh.stdin), daemon=True).start()
    return ssh.wait()


if __name__ == "__main__":
    os._exit(main())
