"""Running a command that the administrator named: its own group, no shell, nothing of clients.

It is started by the launcher in hive.process.confine, which lets it end with the server and gain no
rights (setuid programs such as sudo stay ordinary), but is otherwise free: it must reach others.
"""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from hive.errors import Unavailable
from hive.kinds import TriggerState
from hive.process import confine
from hive.services import runtime
from hive.services.triggers.runs import CallOutcome
from hive.services.triggers.settings import Command, Subject

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TAIL = 4000  # bytes of output that are kept
_TO_END = 3.0  # seconds between SIGTERM and SIGKILL


async def call(command: Command, subject: Subject) -> CallOutcome:
    """Run it to its end, or to its time limit."""
    settings = runtime.settings().triggers
    argv = settings.commands.get(command.command)
    if argv is None:
        raise Unavailable(
            "The configuration names no command %(command)r any more: add it under"
            " [triggers.commands], or change the trigger.",
            command=command.command,
        )
    ended = await _run(argv, _environment(subject), seconds=settings.command_seconds)
    if ended.timed_out:
        limit = f"The command was ended after {settings.command_seconds} seconds."
        return CallOutcome(TriggerState.FAILED, f"{limit}\n{ended.output}".strip())
    if ended.status == 0:
        return CallOutcome(TriggerState.SUCCEEDED, ended.output)
    how = f"exit status {ended.status}" if ended.status > 0 else f"signal {-ended.status}"
    return CallOutcome(TriggerState.FAILED, f"{ended.output}\n{how}".strip())


def _environment(subject: Subject) -> dict[str, str]:
    return {
        "PATH": PATH,
        "LANG": "C.UTF-8",
        "HIVE_REPOSITORY": subject.name,
        "HIVE_LOGIN": subject.login,
        "HIVE_URL": subject.url,
        # what a killed server leaves is found and ended by it
        "BORG_HOST_ID": runtime.host_id(),
    }


@dataclass(frozen=True)
class _Finished:
    status: int
    output: str
    timed_out: bool


class _Tail:
    """The end of what comes through a pipe; all of it is read, so that nobody waits for us."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._kept = bytearray()
        self._is_watched = True
        asyncio.get_running_loop().add_reader(descriptor, self.read)

    def read(self) -> None:
        with suppress(BlockingIOError):
            data = os.read(self._descriptor, 65_536)
            self._kept += data
            del self._kept[:-_TAIL]
            if not data:
                self._unwatch()

    def _unwatch(self) -> None:
        if self._is_watched:
            self._is_watched = False
            asyncio.get_running_loop().remove_reader(self._descriptor)

    def close(self) -> str:
        for _ in range(64):  # what lies in the pipe still, and no more
            if not self._is_watched:
                break
            self.read()
        self._unwatch()
        os.close(self._descriptor)
        return self._kept.decode(errors="replace").strip()


async def _run(argv: Sequence[str], environment: Mapping[str, str], *, seconds: float) -> _Finished:
    process, tail = _start(argv, environment)
    timed_out, output = False, ""
    try:
        try:
            async with asyncio.timeout(seconds):
                await _end_of(process)
        except TimeoutError:
            timed_out = True
            await _ask_to_end(process)
    finally:
        # The leader is not reaped yet, so that the number is still its group's.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
        output = tail.close()
    return _Finished(status, output, timed_out)


def _start(
    argv: Sequence[str], environment: Mapping[str, str]
) -> tuple[subprocess.Popen[bytes], _Tail]:
    launcher = [sys.executable, *confine.LAUNCHER, _specification(environment), "--"]
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(
            [*launcher, *argv],
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            cwd="/",
            env={},
            start_new_session=True,
        )
    except OSError as error:
        os.close(reading)
        raise Unavailable(
            "%(argv)s cannot be started: %(strerror)s.", argv=argv[0], strerror=error.strerror
        ) from error
    finally:
        os.close(writing)
    return process, _Tail(reading)


def _specification(environment: Mapping[str, str]) -> str:
    specification: confine.Specification = {
        "parent": os.getpid(),
        "environment": dict(environment),
        "umask": 0o077,
        "limits": {"core_bytes": 0},
        "nice": 0,
        "io_priority": None,
        "user": _user(),
        "landlock": False,
        "rules": {},
    }
    return json.dumps(specification)


def _user() -> tuple[int, int] | None:
    """The account to become; None: stay who the server is."""
    settings = runtime.settings()
    name = settings.triggers.command_user
    try:
        account = pwd.getpwnam(name or settings.child.user)
    except KeyError:
        if name is None and os.geteuid() != 0:
            return None
        raise Unavailable(
            "There is no account %(name)s: name one that exists in triggers.command_user.",
            name=name or settings.child.user,
        ) from None
    if os.geteuid() != 0:
        if name is not None and account.pw_uid != os.geteuid():
            raise Unavailable(
                "Only a server that root started runs commands as another user: see"
                " triggers.command_user."
            )
        return None
    return None if account.pw_uid == 0 else (account.pw_uid, account.pw_gid)


async def _end_of(process: subprocess.Popen[bytes]) -> None:
    """Wait for the process to end, without reaping it."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    descriptor = os.pidfd_open(process.pid)
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def _ask_to_end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(TimeoutError):
        async with asyncio.timeout(_TO_END):
            await _end_of(process)
