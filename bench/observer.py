"""What watching and deciding cost: the parsers alone, and uploads through a gate with and without.

script/bench observer [observer|policy] [--parser]
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import shutil
import statistics
import sys
import tempfile
import time
import unittest.mock
from collections.abc import Callable, Iterator
from pathlib import Path

import msgpack

from hive.borg.call_stream import Filtered
from hive.borg.observer import Observer, RpcWatch
from hive.borg.repository_path import PathRule
from hive.borg.request_filter import RequestFilter
from hive.borg.response_framer import ResponseFramer
from hive.borg.rpc_policy import Phase, Policy
from hive.kinds import Access
from sshgate import relay, session
from tests.e2e.gate.files import noise
from tests.e2e.gate.harness import Client, House, open_house

PARSED_BYTES = 500_000_000
UPLOADED_FILES = 20
PAIRS = int(os.environ.get("HIVE_BENCH_PAIRS", "6"))
_READ = 256 * 1024  # how much the relay hands over at once
_FROM_CHANNEL = 32 * 1024  # the same for what a client sends


def _pieces(message: bytes, count: int, size: int) -> list[bytes]:
    stream = message * count
    return [stream[start : start + size] for start in range(0, len(stream), size)]


def _parser(chunk: int) -> None:
    """Time put and get of chunks of one size."""
    count = max(1, min(PARSED_BYTES // chunk, 100_000))
    data = b"\x83" * chunk
    put = {"i": 70_000, "m": "put", "a": {"id": b"\x01" * 32, "data": data}}
    answer = {"i": 70_000, "r": data}
    get = {"i": 70_000, "m": "get", "a": {"id": b"\x01" * 32}}
    for name, message, size, is_client in (
        ("put", put, _FROM_CHANNEL, True),
        ("get, request", get, _FROM_CHANNEL, True),
        ("get, answer", answer, _READ, False),
    ):
        packed = msgpack.packb(message, use_bin_type=False)
        pieces = _pieces(packed, min(count, max(1, 50_000_000 // len(packed))), size)
        rounds = max(1, count * len(packed) // sum(map(len, pieces)))
        observer = Observer(RpcWatch())
        rpc = _open_filter()
        framer = ResponseFramer(rpc)
        for what, take in (
            ("observer", observer.client if is_client else observer.server),
            ("policy", functools.partial(_decide, rpc) if is_client else framer.feed),
        ):
            taken = _timed(take, pieces, rounds)
            messages = rounds * sum(map(len, pieces)) / len(packed)
            rate = messages * len(packed) / taken / 1e6
            print(
                f"{what:8} {name:13} chunks of {chunk:8}: {taken / messages * 1e6:7.2f} µs,"
                f" {rate:10.0f} MB/s"
            )
        assert observer.facts().note is None  # noqa: S101 - else nothing was measured
        assert not rpc.refused_methods  # noqa: S101


def _decide(rpc: RequestFilter, data: bytes) -> None:
    """As the relay does."""
    if not rpc.skip_payload(len(data)):
        rpc.feed(data)


def _timed(take: Callable[[bytes], object], pieces: list[bytes], rounds: int) -> float:
    begun = time.process_time()
    for _ in range(rounds):
        for piece in pieces:
            take(piece)
    return time.process_time() - begun


def _open_filter() -> RequestFilter:
    rpc = RequestFilter(
        Policy(
            name="a",
            path="/a",
            access=Access.APPEND_ONLY,
            url="ssh://a",
            paths=PathRule(frozenset({"a"}), "a"),
        )
    )
    rpc.feed(msgpack.packb({"i": 1, "m": "open", "a": {"path": b"a", "exclusive": True}}))
    rpc.answered(msgpack.packb({"i": 1, "r": b""}))
    return rpc


async def _upload(client: Client, url: str, name: str, source: Path) -> float:
    begun = time.perf_counter()
    (await client.borg("create", "--compression", "none", f"{url}::{name}", ".", cwd=source)).must()
    return time.perf_counter() - begun


async def _repository(house: House, client: Client, name: str) -> str:
    made = await house.repository(name, {"laptop": Access.FULL})
    (await client.borg("init", "-e", "none", made.url)).must()
    return made.url


async def _gate(directory: Path, what: str) -> None:
    """Compare uploads in pairs, each of both into a new repository, in changing order."""
    source = directory / "source"
    source.mkdir()
    for number in range(UPLOADED_FILES):
        (source / str(number)).write_bytes(noise(10_000_000, seed=number))
    ratios = []
    async with open_house(directory / "house") as house:
        client = house.client()
        await house.user()
        await house.key(client, "laptop")
        for pair in range(-1, PAIRS):  # the first warms up
            taken = {}
            order = (True, False) if pair % 2 else (False, True)
            for observed in order:
                name = f"pair{pair + 1}-{int(observed)}"
                url = await _repository(house, client, name)
                with contextlib.nullcontext() if observed else WITHOUT[what]():
                    taken[observed] = await _upload(client, url, "one", source)
                for made in (directory / "house").glob(f"**/{name}"):
                    shutil.rmtree(made, ignore_errors=True)
            if pair >= 0:
                ratios.append(taken[True] / taken[False])
                print(f"with {taken[True]:.2f} s, without {taken[False]:.2f} s: {ratios[-1]:.3f}")
    print(f"time with the {what} / without, median of {PAIRS}: {statistics.median(ratios):.3f}")


@contextlib.contextmanager
def _no_observer() -> Iterator[None]:
    make = session._observer  # noqa: SLF001
    session._observer = lambda *_: None  # type: ignore[assignment]  # noqa: SLF001
    try:
        yield
    finally:
        session._observer = make  # noqa: SLF001


@contextlib.contextmanager
def _no_policy() -> Iterator[None]:
    """Everything passes unread once the repository is open."""

    class Passing(RequestFilter):
        def feed(self, data: bytes) -> Filtered:
            if self.phase in (Phase.SHARED, Phase.EXCLUSIVE):
                return Filtered(forward=[data])
            return super().feed(data)

    class Unframed(ResponseFramer):
        def feed(self, data: bytes) -> list[bytes]:
            return super().feed(data) if self._watcher.wants_answers else [data]

    with (
        unittest.mock.patch.object(session, "RequestFilter", Passing),
        unittest.mock.patch.object(relay, "ResponseFramer", Unframed),
    ):
        yield


WITHOUT = {"observer": _no_observer, "policy": _no_policy}


def main() -> None:
    for chunk in (1024 * 1024, 64 * 1024, 1024):
        _parser(chunk)
    for what in [] if "--parser" in sys.argv else [one for one in WITHOUT if _is_asked(one)]:
        with tempfile.TemporaryDirectory() as directory:
            asyncio.run(_gate(Path(directory), what))


def _is_asked(what: str) -> bool:
    named = [one for one in sys.argv if one in WITHOUT]
    return not named or what in named


if __name__ == "__main__":
    main()
