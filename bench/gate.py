"""Raw upload, raw download and logins through this checkout's gate, against another checkout's.

script/bench gate OTHER_CHECKOUT    both servers run at once; the measurements alternate in pairs

The other checkout needs a virtual environment of its own: run its script/test once. Each figure is
the time of this checkout divided by that of the other, so that less than 1 is faster.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgpack

from tests.programs import CHECKOUT, borg_command

PAIRS = int(os.environ.get("HIVE_BENCH_PAIRS", "10"))
CHUNKS = int(os.environ.get("HIVE_BENCH_CHUNKS", "128"))  # of 2 MiB, as borg makes them
LOGINS = int(os.environ.get("HIVE_BENCH_LOGINS", "10"))
_CHUNK = os.urandom(2 * 1024 * 1024)
_READY = re.compile(r"ready ssh=127\.0\.0\.1:(\d+) ")
_LIMITS = {  # one address logs in all the time, on one repository
    "HIVE_SSH__NEW_CONNECTIONS_BURST_PER_ADDRESS": "100000",
    "HIVE_SSH__NEW_CONNECTIONS_PER_MINUTE_PER_ADDRESS": "100000",
}


@dataclass
class Gate:
    """A server of one checkout, with a repository that one key opens."""

    python: Path
    directory: Path
    port: int = 0
    login: str = ""

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.directory),
            "HIVE_DATA_DIR": str(self.directory / "data"),
            "HIVE_BORG__COMMAND": borg_command("1.4"),
            **_LIMITS,
        }

    def hive(self, *words: str) -> str:
        return subprocess.run(
            [self.python, "-m", "hive", *words],
            env=self.environment,
            cwd=self.python.parents[2],
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def ssh(self, *command: str) -> list[str]:
        options = ["BatchMode=yes", "IdentitiesOnly=yes", "StrictHostKeyChecking=no"]
        options += [
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "Ciphers=aes128-gcm@openssh.com",
        ]
        words = [word for option in options for word in ("-o", option)]
        where = ["-F", "none", "-p", str(self.port), "-i", str(self.directory / "id")]
        return ["ssh", *where, *words, f"{self.login}@127.0.0.1", *command]


@contextmanager
def _served(checkout: Path, directory: Path) -> Iterator[Gate]:
    directory.mkdir(mode=0o755)
    gate = Gate(checkout / ".venv/bin/python", directory)
    key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / "id")]
    subprocess.run(key, check=True)
    server = subprocess.Popen(
        [gate.python, "-m", "hive", "serve", "--ssh", "127.0.0.1:0", "--web", "127.0.0.1:0"],
        env=gate.environment,
        cwd=checkout,
        stdout=subprocess.PIPE,
        stderr=(directory / "log").open("w"),
        text=True,
    )
    try:
        assert server.stdout is not None  # noqa: S101
        found = _READY.match(server.stdout.readline())
        if found is None:
            sys.exit((directory / "log").read_text())
        gate.port = int(found[1])
        gate.hive("user", "add", "alice")
        gate.hive("key", "add", "laptop", "--owner", "alice", str(directory / "id.pub"))
        gate.hive("repo", "add", "bench", "--owner", "alice", "--key", "laptop")
        shown = gate.hive("repo", "show", "bench", "--json")
        gate.login = str(re.search(r'"login": "(\w+)"', shown)[1])  # type: ignore[index]
        yield gate
    finally:
        server.terminate()
        server.wait()


def _call(number: int, method: str, **arguments: object) -> bytes:
    message = {"i": number, "m": method, "a": arguments}
    packed: bytes = msgpack.packb(message, use_bin_type=False)
    return packed


def _session(gate: Gate, calls: Iterator[bytes], *, create: bool) -> float:
    """Seconds from the first call after opening to the last answer."""
    process = subprocess.Popen(
        gate.ssh("borg", "serve"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    assert process.stdin is not None  # noqa: S101
    assert process.stdout is not None  # noqa: S101
    unpacker = msgpack.Unpacker(process.stdout, raw=True, strict_map_key=False)
    process.stdin.write(msgpack.packb((1, 1, "negotiate", [{"client_version": (1, 4, 0)}])))
    process.stdin.flush()
    unpacker.unpack()
    process.stdin.write(
        _call(2, "open", path=b"/./bench", create=create, lock=True, exclusive=True)
    )
    process.stdin.flush()
    opened = unpacker.unpack()
    assert b"r" in opened, opened  # noqa: S101
    begun = time.perf_counter()
    for call in calls:
        process.stdin.write(call)
        process.stdin.flush()
        answer = unpacker.unpack()
        assert b"exception_class" not in answer, answer  # noqa: S101
    taken = time.perf_counter() - begun
    process.stdin.close()
    process.wait()
    return taken


def _upload(gate: Gate) -> float:
    def calls() -> Iterator[bytes]:
        for number in range(CHUNKS):
            yield _call(number + 3, "put", id=number.to_bytes(32, "big"), data=_CHUNK)

    return _session(gate, calls(), create=False)


def _download(gate: Gate) -> float:
    def calls() -> Iterator[bytes]:
        for number in range(CHUNKS):
            yield _call(number + 3, "get", id=b"\xff" * 32)

    return _session(gate, calls(), create=False)


def _logins(at_once: int) -> Callable[[Gate], float]:
    def measure(gate: Gate) -> float:
        begun = time.perf_counter()
        for _ in range(max(1, LOGINS // at_once)):
            running = [
                subprocess.Popen(gate.ssh("status"), stdout=subprocess.DEVNULL)
                for _ in range(at_once)
            ]
            assert all(process.wait() == 0 for process in running)  # noqa: S101
        return time.perf_counter() - begun

    return measure


def _prepare(gate: Gate) -> None:
    calls = [_call(3, "put", id=b"\xff" * 32, data=_CHUNK), _call(4, "commit", compact=False)]
    _session(gate, iter(calls), create=True)


def main() -> None:
    if len(sys.argv) != 2:
        print("usage: script/bench gate OTHER_CHECKOUT")
        return
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        with (
            _served(CHECKOUT, directory / "this") as this,
            _served(Path(sys.argv[1]).resolve(), directory / "other") as other,
        ):
            for gate in (this, other):
                _prepare(gate)
            for what, measure in (
                (f"upload of {CHUNKS * 2} MiB", _upload),
                (f"download of {CHUNKS * 2} MiB", _download),
                (f"{LOGINS} logins one after the other", _logins(1)),
                (f"{LOGINS} logins, 5 at once", _logins(5)),
            ):
                _compare(what, measure, this, other)


def _compare(what: str, measure: Callable[[Gate], float], this: Gate, other: Gate) -> None:
    ratios, times = [], []
    for pair in range(-1, PAIRS):  # the first warms up
        order = (this, other) if pair % 2 else (other, this)
        taken = {gate.port: measure(gate) for gate in order}
        if pair >= 0:
            ratios.append(taken[this.port] / taken[other.port])
            times.append(taken[this.port])
    print(
        f"{what}: {statistics.median(times):.2f} s, {statistics.median(ratios):.3f} of the other"
        f" ({min(ratios):.2f} to {max(ratios):.2f}, {PAIRS} pairs)"
    )


if __name__ == "__main__":
    main()
