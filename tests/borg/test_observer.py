from __future__ import annotations

from collections.abc import Callable
from itertools import count, pairwise

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.borg.ledger import MANIFEST, Facts
from hive.borg.observer import Observer, RpcWatch
from hive.borg.observer_rest import RestWatch
from hive.borg.repository import Snapshot
from hive.borg.verdict import Evidence, judge
from hive.kinds import ArchiveCreated, EndReason, Need, Operation

ONE, TWO, OLD = (bytes([number]) * 32 for number in (1, 2, 9))
HELLO = (1, 1, b"negotiate", ({b"client_version": (1, 4, 5)},))
LOST_LOCK = b"Failed to create/acquire the lock /srv/hive/abc/laptop/lock.exclusive (timeout)."

Said = tuple[str, dict[str, object], object]


class Failure:
    """An error as borg answers it."""

    def __init__(self, kind: str, message: bytes) -> None:
        self.kind, self.message = kind, message


def pack(value: object) -> bytes:
    packed: bytes = msgpack.packb(value, use_bin_type=False)
    return packed


def opened(*, exclusive: bool = True, create: bool = False) -> Said:
    path = b"/srv/hive/abc/laptop"
    return ("open", {"path": path, "create": create, "exclusive": exclusive}, ONE)


def put(identifier: bytes, size: int = 100, **more: object) -> Said:
    return ("put", {"id": identifier, "data": b"\x83" * size, **more}, None)


def get(identifier: bytes, size: int = 100) -> Said:
    return ("get", {"id": identifier}, b"\x82" * size)


def delete(identifier: bytes, **more: object) -> Said:
    return ("delete", {"id": identifier, **more}, None)


def commit(*, compact: bool = False) -> Said:
    return ("commit", {"save_space": False, "compact": compact, "threshold": 0.1}, None)


BACKUP: list[Said] = [
    opened(),
    get(MANIFEST),
    ("load_key", {}, b"k" * 700),
    put(ONE, 5000),
    put(TWO, 20, wait=True),
    put(MANIFEST, 300, wait=True),
    commit(),
]
CHECKPOINT: list[Said] = [*BACKUP, delete(TWO)]
DELETION: list[Said] = [
    opened(),
    get(MANIFEST),
    get(OLD),
    delete(OLD, wait=False),
    put(MANIFEST),
    commit(),
]


def streams(said: list[Said]) -> tuple[bytes, bytes]:
    """What the client and the server say, each in one piece."""
    calls, answers = [pack(HELLO)], [pack((1, 1, None, {b"server_version": (1, 4, 5)}))]
    for number, (method, arguments, answer) in enumerate(said, 2):
        calls.append(pack({"i": number, "m": method, "a": arguments}))
        if isinstance(answer, Failure):
            error = {"i": number, "exception_class": answer.kind}
            answers.append(pack({**error, "exception_short": [answer.message], "sysinfo": b"x"}))
        else:
            answers.append(pack({"i": number, "r": answer}))
    return b"".join(calls), b"".join(answers)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(place, len(data)) for place in cuts), len(data)]
    return [data[start:stop] for start, stop in pairwise(edges)]


def slower_and_slower() -> Callable[[], float]:
    """A clock by which each thing follows sooner on the one before: nothing looks like a habit."""
    reads = count(1)
    return lambda: -10_000 / next(reads)


def observe(said: list[Said], cuts: tuple[list[int], list[int]] = ([], [])) -> Facts:
    observer = Observer(RpcWatch(("/srv/hive/abc/laptop",), slower_and_slower()))
    calls, answers = streams(said)
    for part in cut(calls, cuts[0]):
        observer.client(part)
    for part in cut(answers, cuts[1]):
        observer.server(part)
    observer.client_eof()
    return observer.facts()


def told(said: list[Said], end: EndReason = EndReason.DONE) -> tuple[str, str, str]:
    verdict = judge(Evidence(need=Need.BORG, end_reason=end, facts=observe(said)))
    return verdict.operation, verdict.archive_created, verdict.end_reason


def test_a_backup_is_counted() -> None:
    facts = observe(BACKUP)
    assert facts.note is None
    assert (facts.client_version, facts.is_open, facts.exclusive) == ("1.4.5", True, True)
    assert facts.calls == {
        "put": 3,
        "get": 1,
        "negotiate": 1,
        "open": 1,
        "load_key": 1,
        "commit": 1,
    }
    assert (facts.committed.puts, facts.committed.put_bytes, facts.committed.manifests) == (
        2,
        5020,
        1,
    )
    assert (facts.commits, facts.archives, facts.checkpoint) == (1, 1, False)
    assert facts.read_bytes == 100
    assert (facts.eof, facts.cut, facts.uncommitted.is_empty) == (True, False, True)


@given(st.data())
def test_the_facts_are_the_same_wherever_the_streams_are_cut(data: st.DataObject) -> None:
    listed: Said = ("list", {"limit": 100000, "marker": None}, [bytes([n]) * 32 for n in range(40)])
    said: list[Said] = [*CHECKPOINT, listed, ("check", {"repair": False}, False), *DELETION[1:]]
    said.append(("save_key", {"keydata": b"k" * 700}, Failure("OSError", b"no")))
    calls, answers = streams(said)
    cuts = (
        data.draw(st.lists(st.integers(0, len(calls)), max_size=30)),
        data.draw(st.lists(st.integers(0, len(answers)), max_size=30)),
    )
    assert observe(said, cuts) == observe(said)


def test_the_facts_are_the_same_byte_by_byte() -> None:
    calls, answers = streams(CHECKPOINT)
    cuts = (list(range(len(calls))), list(range(len(answers))))
    assert observe(CHECKPOINT, cuts) == observe(CHECKPOINT)


@given(st.binary(max_size=400), st.binary(max_size=400), st.booleans())
def test_garbage_switches_off_and_raises_nothing(calls: bytes, answers: bytes, late: bool) -> None:
    observer = Observer(RpcWatch())
    if late:
        observer.client(streams(BACKUP)[0])
    observer.client(calls)
    observer.server(answers)
    observer.client(calls)
    judge(Evidence(need=Need.BORG, end_reason=EndReason.DONE, facts=observer.facts()))


@given(st.binary(max_size=400), st.binary(max_size=400))
def test_garbage_of_borg_2_raises_nothing_either(calls: bytes, answers: bytes) -> None:
    observer = Observer(RestWatch())
    observer.client(calls)
    observer.server(answers)
    judge(Evidence(need=Need.BORG, end_reason=EndReason.DONE, facts=observer.facts()))


@pytest.mark.parametrize(
    "message",
    [b"GET / HTTP/1.1\r\n\r\n", b"\xc1", pack({"i": 2, "m": "put", "a": {"data": b"", "id": ONE}})],
)
def test_what_is_not_borg_1_switches_off_with_a_note(message: bytes) -> None:
    observer = Observer(RpcWatch())
    observer.client(message)
    assert observer.facts().note is not None
    before, after = (
        Snapshot(is_created=True, state="1", config=b"", size_bytes=5),
        Snapshot(is_created=True, state="2", config=b"", size_bytes=9),
    )
    verdict = judge(
        Evidence(
            need=Need.BORG,
            end_reason=EndReason.DONE,
            facts=observer.facts(),
            before=before,
            after=after,
        )
    )
    assert (verdict.operation, verdict.archive_created) == ("write", "unknown")
    assert verdict.bytes_added is None


def test_a_put_with_another_argument_behind_its_data_hides_nothing() -> None:
    hidden = pack({"i": 3, "m": "commit", "a": {}})
    call = {"i": 2, "m": "put", "a": {"id": ONE, "data": b"x", "other": hidden}}
    observer = Observer(RpcWatch())
    observer.client(pack(call))
    assert observer.facts().note is not None


def test_an_error_is_kept_in_words_without_paths() -> None:
    method, arguments, _ = opened()
    facts = observe([(method, arguments, Failure("LockTimeout", LOST_LOCK))])
    assert facts.error is not None
    assert (facts.error.method, facts.error.kind) == ("open", "LockTimeout")
    assert facts.error.message.startswith("Failed to create/acquire the lock …")
    assert "srv" not in facts.error.message


def test_memory_stays_small_whatever_is_read_and_deleted() -> None:
    watch = RpcWatch()
    watch.client(streams([opened()])[0])
    for number in range(40_000):
        call = {"i": 9, "m": "get", "a": {"id": number.to_bytes(32, "big")}}
        watch.client(pack(call))
    assert len(watch._ledger._read) < 20_000


RENAME = [opened(), get(MANIFEST), get(OLD), put(ONE), delete(OLD), put(MANIFEST), commit()]
RECREATE = [
    *RENAME[:3],
    put(ONE),
    put(MANIFEST),
    commit(),
    get(OLD),
    delete(OLD),
    put(TWO),
    delete(ONE),
    put(MANIFEST),
    commit(),
]
CHECK: Said = ("check", {"repair": False, "save_space": False, "max_duration": 0}, True)
FULL: Said = ("put", put(TWO)[1], Failure("OSError", b"[Errno 28] No space left on device"))
DONE, GONE, FAILED = EndReason.DONE, EndReason.CLIENT_GONE, EndReason.FAILED


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ([], ("nothing", "no", DONE)),
        ([opened(create=True), put(MANIFEST), commit()], ("init", "no", DONE)),
        (BACKUP, ("create", "yes", DONE)),
        (CHECKPOINT, ("create", "partial", GONE)),
        ([*CHECKPOINT, put(ONE)], ("create", "partial", GONE)),
        ([*CHECKPOINT, put(OLD), put(MANIFEST), commit()], ("create", "yes", DONE)),
        ([*CHECKPOINT, ("rollback", {}, None)], ("create", "partial", FAILED)),
        ([opened(), get(MANIFEST), put(ONE)], ("create", "no", GONE)),
        ([opened(), get(MANIFEST), put(ONE), FULL], ("create", "no", EndReason.DISK_FULL)),
        (
            [opened(), ("__len__", {}, 5), get(MANIFEST), get(OLD), *BACKUP[3:]],
            ("create", "yes", DONE),
        ),
        (DELETION, ("delete", "no", DONE)),
        (DELETION[:4], ("delete", "no", GONE)),
        (RENAME, ("rename", "no", DONE)),
        (RECREATE, ("recreate", "no", DONE)),
        (RECREATE[:6], ("recreate", "no", DONE)),
        ([opened(), put(MANIFEST), commit(compact=True)], ("compact", "no", DONE)),
        ([opened(), put(MANIFEST), commit()], ("write", "no", DONE)),
        ([opened(), CHECK], ("check", "no", DONE)),
        ([opened(), ("list", {}, []), get(MANIFEST)], ("check", "no", DONE)),
        ([opened(), CHECK, put(MANIFEST), commit()], ("repair", "no", DONE)),
        ([opened(exclusive=False), get(MANIFEST)], ("read", "no", DONE)),
        ([opened(), get(MANIFEST)], ("nothing", "no", DONE)),
        ([opened(), ("break_lock", {}, None)], ("break-lock", "no", DONE)),
        ([opened(), ("destroy", {}, None)], ("delete repository", "no", DONE)),
        ([opened(), ("save_key", {"keydata": b"k"}, None)], ("key change", "no", DONE)),
    ],
)
def test_every_rule_tells_what_it_is_for(said: list[Said], verdict: tuple[str, str, str]) -> None:
    assert told(said) == verdict


def test_what_was_cut_off_right_after_a_commit_is_unknown() -> None:
    assert told(BACKUP, EndReason.CLIENT_GONE)[:2] == ("create", "unknown")


def test_a_commit_that_failed_made_no_archive() -> None:
    failed: Said = (
        "commit",
        {"compact": False},
        Failure("OSError", b"[Errno 28] No space left on device"),
    )
    assert told([*BACKUP[:-1], failed]) == ("create", "no", EndReason.DISK_FULL)


def test_what_the_gate_refused_is_the_end() -> None:
    facts = observe([opened(), get(MANIFEST)])
    evidence = Evidence(
        need=Need.BORG, end_reason=EndReason.DONE, facts=facts, refused_methods=("put",)
    )
    verdict = judge(evidence)
    assert (verdict.end_reason, verdict.error) == (EndReason.REFUSED, "refused: put")


def rest(*exchanges: tuple[str, int, int]) -> Facts:
    """Facts of requests, with the length of their bodies and the status of the answer."""
    observer = Observer(RestWatch())
    for line, length, status in exchanges:
        head = f"{line} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()
        data = head + b"\r\n\r\n"[:length].ljust(length, b"x")
        for start in range(0, len(data), 7):
            observer.client(data[start : start + 7])
        observer.server(f"HTTP/1.1 {status} So\r\nContent-Length: 2\r\n\r\nok".encode())
    observer.client_eof()
    return observer.facts()


PACK = ("POST /packs/ab/abcd", 5000, 200)
ARCHIVE = ("POST /archives/aa", 0, 200)
SOFT = ("POST /?cmd=move&current=archives%2Faa&new=archives%2Faa.del", 0, 200)


@pytest.mark.parametrize(
    ("exchanges", "operation", "created"),
    [
        ([("POST /?cmd=create", 0, 200)], Operation.INIT, ArchiveCreated.NO),
        ([PACK, ARCHIVE], Operation.CREATE, ArchiveCreated.YES),
        ([PACK], Operation.WRITE, ArchiveCreated.UNKNOWN),
        ([SOFT], Operation.DELETE, ArchiveCreated.NO),
        ([PACK, ARCHIVE, SOFT], Operation.WRITE, ArchiveCreated.UNKNOWN),
        ([("DELETE /packs/ab/abcd", 0, 200)], Operation.COMPACT, ArchiveCreated.NO),
        ([("GET /archives/", 0, 200)], Operation.READ, ArchiveCreated.NO),
        ([("GET /config/x", 0, 404)], Operation.NOTHING, ArchiveCreated.NO),
    ],
)
def test_borg_2_is_told_by_its_paths(
    exchanges: list[tuple[str, int, int]], operation: Operation, created: ArchiveCreated
) -> None:
    facts = rest(*exchanges)
    assert facts.note is None
    verdict = judge(Evidence(need=Need.BORG, end_reason=EndReason.DONE, facts=facts))
    assert (verdict.operation, verdict.archive_created) == (operation, created)


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def created(*, after: float, took: float, answer: float = 1.0, checkpoints: int = 0) -> str:
    """Whether an archive came of a session that ended `answer` seconds after its last commit.

    Each transaction begins `after` seconds after the one before, and takes `took` seconds.
    """
    clock = Clock()
    observer = Observer(RpcWatch((), clock))
    number = 1

    def say(*said: Said) -> None:
        nonlocal number
        for method, arguments, answered in said:
            number += 1
            observer.client(pack({"i": number, "m": method, "a": arguments}))
            observer.server(pack({"i": number, "r": answered}))

    observer.client(pack(HELLO))
    observer.server(pack((1, 1, None, {"server_version": (1, 4, 5)})))
    say(opened(), get(MANIFEST), ("load_key", {}, b"k" * 700))
    for checkpoint in range(checkpoints + 1):
        clock.now += after
        say(put(ONE, 5000))
        clock.now += took
        archive = bytes([100 + checkpoint]) * 32
        say(put(archive, 500), put(MANIFEST), commit())
        if checkpoint < checkpoints:
            say(delete(archive))
    clock.now += answer
    observer.client_eof()
    return judge(
        Evidence(need=Need.BORG, end_reason=EndReason.DONE, facts=observer.facts())
    ).archive_created


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        ({"after": 1, "took": 600}, ArchiveCreated.YES),
        ({"after": 1, "took": 1790}, ArchiveCreated.YES),
        ({"after": 1, "took": 1800}, ArchiveCreated.UNKNOWN),
        ({"after": 600, "took": 1810}, ArchiveCreated.UNKNOWN),  # its cache was synchronised first
        ({"after": 1, "took": 7000}, ArchiveCreated.YES),  # nothing changed behind the first part
        ({"after": 1, "took": 300, "checkpoints": 2}, ArchiveCreated.UNKNOWN),
        ({"after": 1, "took": 600, "answer": 0.0}, ArchiveCreated.UNKNOWN),
    ],
)
def test_an_end_right_after_what_may_be_a_checkpoint_is_unknown(
    timing: dict[str, float], expected: ArchiveCreated
) -> None:
    assert created(**timing) == expected  # type: ignore[arg-type]  # names and numbers


def test_a_client_that_leaves_before_it_opens_anything_did_nothing() -> None:
    observer = Observer(RpcWatch())
    observer.client(pack(HELLO))
    observer.server(pack((1, 1, None, {"server_version": (1, 4, 5)})))
    observer.client_eof()
    observer.server(b"Borg 1.2.4: Got connection close before repository was opened.\n")
    facts = observer.facts()
    assert facts.note is None
    verdict = judge(Evidence(need=Need.BORG, end_reason=EndReason.DONE, facts=facts))
    assert (verdict.operation, verdict.archive_created) == (Operation.NOTHING, ArchiveCreated.NO)
