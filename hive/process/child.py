"""Start a confined program, tell when it ends, and end it: EOF first, SIGKILL last.

What is started is always the launcher in hive.process.confine, which becomes the program. The relay
reads and writes the pipes itself; the starter of a child calls `end` or `wait`, then `close`.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic
from typing import Self

from hive.errors import Unavailable
from hive.process import confine, places
from hive.process.spec import ChildSpec, Confinement
from hive.sentences import say

PIPE_BYTES = (1 << 20, 256 << 10)
PATIENCE_AFTER_EOF = 2.0  # seconds; borg needs 0.2 to put its locks away
REPEAT_TERMINATION = 1.0  # seconds; borg swallows a SIGTERM that meets it busy


def process_start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None if it does not exist.

    With the pid it names a process for good, even to a server that was started since.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    after_name = text.rpartition(")")[2].split()
    return int(after_name[19])


class Child:
    """One running program, leader of its own session and process group.

    `stdin_fd`, `stdout_fd` and `stderr_fd` are our ends of its pipes, non-blocking, -1 once closed.
    One event loop only. Nothing of the program's process group outlives its leader, as long as
    somebody awaits `wait` or `end`: do so while reading, or a leftover may hold stdout open.
    A program that leaves the group (setsid) stays confined, but is not found again.
    """

    def __init__(self, process: subprocess.Popen[bytes], pipes: tuple[int, int, int]) -> None:
        self.pid = process.pid
        self.stdin_fd, self.stdout_fd, self.stderr_fd = pipes
        self._process = process
        self._pidfd = os.pidfd_open(process.pid)
        started = process_start_time(process.pid)
        if started is None:
            os.close(self._pidfd)
            raise FileNotFoundError(f"/proc/{process.pid}/stat")
        self.start_time = started
        self._waiters: set[asyncio.Future[None]] = set()
        self._kill_at = float("inf")
        self._next_signal_at: float | None = None

    @classmethod
    def start(cls, spec: ChildSpec, confinement: Confinement) -> Self:
        """Start the program; call it on the loop's own thread, for it ends with its thread.

        Raises Unavailable if it cannot be started; what the launcher cannot do shows later, as
        status 125 and a line on stderr that starts with hive.process.confine.PREFIX.
        """
        _check_program(spec.argv)
        _check_user(confinement)
        command = _command(spec, confinement)
        with ExitStack() as on_failure, ExitStack() as child_ends:
            try:
                pipes, ends = _open_pipes(on_failure, child_ends)
                process = _spawn(command, spec.cwd, ends)
                on_failure.callback(_discard, process)
                child = cls(process, pipes)
            except OSError as error:
                message = say(
                    "%(argv)s cannot be started: %(error)s", argv=spec.argv[0], error=error
                )
                raise Unavailable(message) from error
            on_failure.pop_all()
            return child

    @property
    def status(self) -> int | None:
        """The exit status as `wait` gives it, None while the program runs or is not reaped."""
        return self._process.returncode

    async def wait(self) -> int:
        """The exit status once the program has ended, or minus the signal that ended it."""
        loop = asyncio.get_running_loop()
        while self.status is None:
            waiter = loop.create_future()
            self._waiters.add(waiter)
            loop.add_reader(self._pidfd, self._reap)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)
                if not self._waiters and self.status is None:
                    loop.remove_reader(self._pidfd)
        return self.status

    async def end(self, grace: float) -> None:
        """Close stdin, then SIGTERM every second, then SIGKILL after `grace` seconds in all.

        It may be called again, at the same time too: all calls share one schedule, the shortest
        grace counts, and after a cancelled call the next one goes on where that was.
        """
        self.close_stdin()
        now = monotonic()
        self._kill_at = min(self._kill_at, now + grace)
        if self._next_signal_at is None:
            self._next_signal_at = now + min(PATIENCE_AFTER_EOF, grace / 2)
        while self.status is None:
            pause = self._signal_if_due()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self.wait()

    def close_stdin(self) -> None:
        """Let the program read EOF after what was written already."""
        self.stdin_fd = _close(self.stdin_fd)

    def close(self) -> None:
        """Close our ends of all pipes."""
        self.close_stdin()
        self.stdout_fd = _close(self.stdout_fd)
        self.stderr_fd = _close(self.stderr_fd)

    def _signal_if_due(self) -> float | None:
        """Send what the schedule says; the seconds until it has something more to say."""
        now = monotonic()
        if now >= self._kill_at:
            self._signal_group(signal.SIGKILL)
            return None
        if self._next_signal_at is not None and now >= self._next_signal_at:
            self._signal_group(signal.SIGTERM)
            self._next_signal_at = now + REPEAT_TERMINATION
        return min(self._next_signal_at or self._kill_at, self._kill_at) - now

    def _signal_group(self, number: signal.Signals) -> None:
        # Before the leader is reaped nobody else can get its number, as pid or as group.
        if self.status is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def _reap(self) -> None:
        """The leader has ended: end what is left of its group, then let the leader go."""
        asyncio.get_running_loop().remove_reader(self._pidfd)
        self._signal_group(signal.SIGKILL)
        self._process.wait()
        os.close(self._pidfd)
        self._pidfd = -1
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)


def run_blocking(
    spec: ChildSpec, confinement: Confinement, *, seconds: float
) -> subprocess.CompletedProcess[bytes]:
    """Run a program that ends soon, and wait for it; as `subprocess.run`."""
    command = _command(spec, confinement)
    return subprocess.run(
        command, capture_output=True, check=False, cwd=spec.cwd, env={}, timeout=seconds
    )


def _check_program(argv: Sequence[str]) -> None:
    program = argv[0]
    if not Path(program).is_absolute():
        message = say("%(program)s is not an absolute path", program=program)
        raise Unavailable(message)
    if not (Path(program).is_file() and os.access(program, os.X_OK)):
        message = say("there is no program %(program)s", program=program)
        raise Unavailable(message)


def _check_user(confinement: Confinement) -> None:
    if confinement.user is None and os.geteuid() == 0 and not confinement.allow_root:
        message = say("programs of sessions do not run as root: `hive doctor` says what is missing")
        raise Unavailable(message)


def _open_pipes(
    on_failure: ExitStack, child_ends: ExitStack
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Our ends and the child's ends of its standard streams, each in the care of its stack."""
    ours: list[int] = []
    theirs: list[int] = []
    for stream in range(3):
        reading, writing = os.pipe2(os.O_CLOEXEC)
        our_end, their_end = (writing, reading) if stream == 0 else (reading, writing)
        on_failure.callback(os.close, our_end)
        child_ends.callback(os.close, their_end)
        os.set_blocking(our_end, False)
        if stream != 2:
            _enlarge(our_end)
        ours.append(our_end)
        theirs.append(their_end)
    return (ours[0], ours[1], ours[2]), (theirs[0], theirs[1], theirs[2])


def _enlarge(pipe: int) -> None:
    for size in PIPE_BYTES:
        with suppress(OSError):  # an ordinary user's pipes share an allowance
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, size)
            return


def _spawn(command: list[str], cwd: Path, ends: tuple[int, int, int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=ends[0],
        stdout=ends[1],
        stderr=ends[2],
        cwd=cwd,
        env={},
        start_new_session=True,
        close_fds=True,
    )


def _discard(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _close(descriptor: int) -> int:
    """Close a pipe and take it from the loop, whose next pipe may get the same number."""
    if descriptor >= 0:
        with suppress(RuntimeError):  # no loop runs: none watches it
            loop = asyncio.get_running_loop()
            loop.remove_reader(descriptor)
            loop.remove_writer(descriptor)
        os.close(descriptor)
    return -1


def _command(spec: ChildSpec, confinement: Confinement) -> list[str]:
    launcher = (sys.executable, *confine.LAUNCHER)
    return [*launcher, _specification(spec, confinement), "--", *spec.argv]


def _specification(spec: ChildSpec, confinement: Confinement) -> str:
    limits = spec.limits
    rules = places.rules(spec)
    specification: confine.Specification = {
        "parent": os.getpid(),
        "environment": dict(spec.environment),
        "umask": spec.umask,
        "limits": {
            "core_bytes": 0,
            "file_bytes": limits.file_bytes,
            "open_files": limits.open_files,
            "memory_bytes": limits.memory_bytes,
            "processes": limits.processes,
        },
        "nice": limits.nice,
        "io_priority": (limits.io_class, limits.io_level),
        "user": (confinement.user.uid, confinement.user.gid) if confinement.user else None,
        "landlock": confinement.landlock,
        "rules": rules,
        "mounts": places.mounts(rules, spec) if confinement.mounts else None,
        "system_calls": confinement.system_calls,
    }
    return json.dumps(specification)
