"""Where a program keeps what it needs to run: its own file, its interpreter, their libraries."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hive import memory
from hive.config.settings import Settings
from hive.errors import Unavailable
from hive.sentences import say
from hive.services.checks import Check

SECONDS_FOR_AN_ANSWER = 10
SAFE_RSYNC = (3, 5)  # the first with --confine-root and without the holes known in 2026
_VERSION = re.compile(r"\b(\d{1,4}(?:\.\d{1,4}){1,3})")
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

    Some may be links to others: an interpreter finds itself by the name it was called by.
    A Python interpreter is asked once where it keeps its modules, so the first call blocks; the
    answer is kept until the program changes. Raises Unavailable if it cannot be read or asked.
    """
    path = Path(command)
    try:
        return _roots(path, path.stat().st_mtime_ns)
    except OSError as error:
        message = say(
            "%(command)s cannot be read: %(strerror)s", command=command, strerror=error.strerror
        )
        raise Unavailable(message) from error


@functools.lru_cache(maxsize=64)
def _roots(path: Path, _changed: int) -> tuple[Path, ...]:
    program = path.resolve()
    found = {program}
    if any((program.parent / name).exists() for name in _PACKED):
        found.add(program.parent)
    interpreter = _interpreter(program)
    if interpreter is not None:
        found |= {interpreter, interpreter.resolve()}
        if interpreter.name.startswith(("python", "pypy")):
            found |= _python_roots(interpreter)
    links = {root for root in found if root != root.resolve()}
    return tuple(sorted(links | {root for root in found - links if not found & set(root.parents)}))


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
        message = say(
            "%(program)s needs %(name)s, which is not here",
            program=program,
            name=name or say("an interpreter"),
        )
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
        message = say(
            "%(interpreter)s does not say where its modules are: %(error)s",
            interpreter=interpreter,
            error=error,
        )
        raise Unavailable(message) from error
    existing = {path for path in answer if path.is_absolute() and path.exists()}
    return (existing | {path.resolve() for path in existing}) - {Path("/")}


@dataclass(frozen=True)
class Program:
    """A program that serves sessions: where it is and what it says of its version."""

    path: str
    version: tuple[int, ...]

    @property
    def version_text(self) -> str:
        return ".".join(str(number) for number in self.version)


@dataclass(frozen=True)
class Programs:
    """What was found at start; None if the program does not exist."""

    borg: Program | None
    borg2: Program | None
    rsync: Program | None

    @property
    def paths(self) -> list[str]:
        """Of all that were found."""
        return [program.path for program in (self.borg, self.borg2, self.rsync) if program]


@dataclass(frozen=True)
class Examined:
    """What came of asking a program for its version; `problem` says why there is none."""

    program: Program | None
    problem: str | None = None


_Identity = tuple[tuple[str, int, int, int, int], ...]


@dataclass
class _Memory:
    known: dict[str, tuple[_Identity, Examined]] = field(default_factory=dict)
    # one at a time: who comes meanwhile takes the answer
    asking: threading.Lock = field(default_factory=threading.Lock)


def find_programs(settings: Settings) -> Programs:
    """Look for borg and rsync and ask for their versions; it blocks."""
    return Programs(
        borg=find_program(settings.borg.command, "--version"),
        borg2=find_program(settings.borg.borg2_command, "--version"),
        rsync=find_program(settings.rsync.command, "--version"),
    )


def find_program(command: str | None, question: str) -> Program | None:
    """The program of this name or path, or None where it is not there or does not answer."""
    return examine(command, question).program


def examine(command: str | None, question: str = "--version") -> Examined:
    """Ask a program for its version; it blocks.

    A good answer is kept until the file or its interpreter changes, or a session suspects it.
    """
    path = shutil.which(command) if command else None
    if path is None:
        return Examined(None, "it is not installed")
    remembered = memory.of(_Memory)
    with remembered.asking:
        identity = _identity(path)
        known = remembered.known.get(path)
        if known is not None and known[0] == identity and known[1].program is not None:
            return known[1]
        examined = _ask_version(path, question)
        remembered.known[path] = (identity, examined)
        return examined


def suspect(path: str) -> None:
    """Have a program asked again at the next look: it did not start for a session."""
    memory.of(_Memory).known.pop(path, None)


def _identity(path: str) -> _Identity:
    """What changes with the program: its file, what that links to, and its interpreter."""
    files = [Path(path), Path(path).resolve()]
    with suppress(OSError, Unavailable):
        interpreter = _interpreter(files[1])
        files += [interpreter, interpreter.resolve()] if interpreter is not None else []
    found = []
    for file in files:
        try:
            status = file.lstat()
        except OSError:
            found.append((str(file), 0, 0, 0, 0))
        else:
            found.append(
                (str(file), status.st_dev, status.st_ino, status.st_mtime_ns, status.st_mode)
            )
    return tuple(found)


def _ask_version(path: str, question: str) -> Examined:
    try:
        done = subprocess.run(
            [path, question],
            capture_output=True,
            check=False,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"},
            timeout=SECONDS_FOR_AN_ANSWER,
        )
    except subprocess.TimeoutExpired:
        return Examined(
            None,
            say(
                "it did not answer within %(seconds)s seconds",
                seconds=SECONDS_FOR_AN_ANSWER,
            ),
        )
    except OSError as error:
        return Examined(None, say("it cannot be started: %(problem)s", problem=error.strerror))
    if done.returncode != 0:
        return Examined(
            None,
            say(
                "it ended with status %(status)s when it was started",
                status=done.returncode,
            ),
        )
    match = _VERSION.search(done.stdout.decode(errors="replace"))
    if match is None:
        return Examined(None, say("it does not say which version it is"))
    version = tuple(int(part) for part in match[1].split("."))
    return Examined(Program(str(Path(path).absolute()), version))


def findings(found: Programs, settings: Settings, *, is_held: bool) -> list[Check]:
    """What there is to say about the programs, for start-up and `hive doctor`.

    `is_held`: whether the server keeps a program to its files, whatever that is made to try.
    """
    about_borg2 = [_about_borg2(found.borg2)] if settings.borg.borg2_command else []
    return [_about_borg(found.borg), *about_borg2, _about_rsync(found.rsync, is_held=is_held)]


def _about_borg(borg: Program | None) -> Check:
    if borg is None:
        return Check(
            "error",
            "borg",
            say("There is no working borg: no client can back up"),
            say("Install borgbackup, or name the program in borg.command."),
        )
    if not (1, 1) <= borg.version < (2,):
        return Check(
            "error",
            "borg",
            say(
                "%(path)s is borg %(version)s, but borg 1.1 to 1.4 is needed here",
                path=borg.path,
                version=borg.version_text,
            ),
            say("Name a borg 1 in borg.command, and borg 2 in borg.borg2_command."),
        )
    return Check(
        "ok",
        "borg",
        say("%(path)s is borg %(version)s", path=borg.path, version=borg.version_text),
    )


def _about_borg2(borg2: Program | None) -> Check:
    if borg2 is None or borg2.version < (2,):
        return Check(
            "error",
            say("borg 2"),
            say("borg.borg2_command names no working borg 2"),
            say("Name a borg 2 there, or leave it out."),
        )
    return Check(
        "ok",
        say("borg 2"),
        say("%(path)s is borg %(version)s", path=borg2.path, version=borg2.version_text),
    )


def _about_rsync(rsync: Program | None, *, is_held: bool) -> Check:
    if rsync is None:
        return Check(
            "warning",
            "rsync",
            say("There is no working rsync: the modes IMPORT and EXPORT refuse all clients"),
            say("Install rsync, or name the program in rsync.command."),
        )
    if rsync.version < SAFE_RSYNC and not is_held:
        return Check(
            "warning",
            "rsync",
            say(
                "%(path)s is rsync %(version)s, which cannot be confined to one "
                "directory here: the modes IMPORT and EXPORT refuse all clients",
                path=rsync.path,
                version=rsync.version_text,
            ),
            say("Install rsync 3.5 or newer, or add the confinement that is missing."),
        )
    return Check(
        "ok",
        "rsync",
        say("%(path)s is rsync %(version)s", path=rsync.path, version=rsync.version_text),
    )
