"""Measure the CPU seconds that short commands take, with the server's Python.

The lowest of several runs counts: other work on the machine only adds to the time.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from tests import schema

TIMES = int(os.environ.get("HIVE_BENCH_TIMES", "10"))
GOAL = 0.35
_COMMANDS = (("--help",), ("repo", "list"), ("repo", "list", "--json"), ("user", "list"))


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _seconds(data: Path, words: tuple[str, ...]) -> float:
    before = _spent()
    subprocess.run(
        [sys.executable, "-m", "hive", "--data-dir", data, *words],
        env={"PATH": os.environ["PATH"], "HOME": str(data)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return _spent() - before


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory)
        schema.put_database(data / "hive.sqlite3")
        for words in _COMMANDS:
            _seconds(data, words)  # compiles what is not compiled yet
            least = min(_seconds(data, words) for _ in range(TIMES))
            print(f"hive {' '.join(words):<20} {least:.3f} s of CPU (goal: {GOAL:.2f})")


if __name__ == "__main__":
    main()
