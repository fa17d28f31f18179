"""Where a program keeps what it needs to run: its own file, its interpreter, their libraries."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
from pathlib import Path

from hive.errors import Unavailable

SECONDS_FOR_AN_ANSWER = 10
_ASK = (
    "import json, sys;"
    "print(json.dumps([sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix,"
    " *sys.path]))"
)
# What pip writes instead of a #! line when the interpreter's path is long or has blanks.
_LONG_INTERPRETER = re.compile(rb"""\A#![^\n]*/sh\n'''exec' "?([^"\n]+?)"? "\$0" """)
# What lies beside a program that was packed together with its interpreter, as a directory.
_PACKED = ("_internal", "base_library.zip")


def program_roots(command: str) -> tuple[Path, ...]:
    """The files and directories that must be readable and executable for `command` to run.

    A Python interpreter is asked once where it keeps its modules, so the first call blocks; the
    answer is kept until the program changes. Raises Unavailable if it cannot be read or asked.
    """
    path = Path(command)
    try:
        return _roots(path, path.stat().st_mtime_ns)
    except OSError as error:
        message = f"{command} cannot be read: {error.strerror}"
        raise Unavailable(message) from error


@functools.lru_cache(maxsize=64)
def _roots(path: Path, _changed: int) -> tuple[Path, ...]:
    program = path.resolve()
    found = {program}
    if any((program.parent / name).exists() for name in _PACKED):
        found.add(program.parent)
    interpreter = _interpreter(program)
    if interpreter is not None:
        found.add(interpreter.resolve())
        if interpreter.name.startswith(("python", "pypy")):
            found |= _python_roots(interpreter)
    return tuple(sorted(root for root in found if not found & set(root.parents)))


def _interpreter(program: Path) -> Path | None:
    with program.open("rb") as file:
        start = file.read(1024)
    if not start.startswith(b"#!"):
        return None
    if long := _LONG_INTERPRETER.match(start):
        return Path(long[1].decode(errors="surrogateescape"))
    words = start[2:].split(b"\n", 1)[0].decode(errors="surrogateescape").split()
    if not words:
        return None
    if Path(words[0]).name != "env":
        return Path(words[0])
    name = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), "")
    found = shutil.which(name)
    if found is None:
        message = f"{program} needs {name or 'an interpreter'}, which is not here"
        raise Unavailable(message)
    return Path(found)


def _python_roots(interpreter: Path) -> set[Path]:
    try:
        done = subprocess.run(
            [interpreter, "-I", "-c", _ASK],
            capture_output=True,
            check=True,
            cwd="/",
            env={},
            timeout=SECONDS_FOR_AN_ANSWER,
        )
        answer = [Path(path) for path in json.loads(done.stdout)]
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        message = f"{interpreter} does not say where its modules are: {error}"
        raise Unavailable(message) from error
    existing = {path.resolve() for path in answer if path.is_absolute() and path.exists()}
    return existing - {Path("/")}
