"""Measure the CPU seconds that short commands take, with the server's Python.

The lowest of several runs counts: other work on the machine only adds to the time. The ratio is
that of alternating pairs with a Python that does nothing, which says more on a busy machine.
"""

from __future__ import annotations

import os
import resource
import statistics
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


def _seconds(data: Path, arguments: list[str]) -> float:
    before = _spent()
    subprocess.run(
        [sys.executable, *arguments],
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
            command = ["-m", "hive", "--data-dir", str(data), *words]
            _seconds(data, command)  # compiles what is not compiled yet
            pairs = [
                (_seconds(data, ["-c", "pass"]), _seconds(data, command)) for _ in range(TIMES)
            ]
            least = min(ours for _, ours in pairs)
            ratio = statistics.median(ours / nothing for nothing, ours in pairs)
            print(
                f"hive {' '.join(words):<20} {least:.3f} s of CPU (goal: {GOAL:.2f}),"
                f" {ratio:4.1f} times `python -c pass`"
            )


if __name__ == "__main__":
    main()
