"""What one session of borg 1 did to its repository, kept as the calls and their answers come.

borg writes in transactions: objects are put and deleted, then the manifest (the list of archives,
object 0) is put, then `commit` is called. A new archive is an object like all others: the last one
that is put before the manifest. To tell a backup from a checkpoint and a deletion from a rename,
three kinds of deleted objects are distinct: what this session has read before (how archives are
deleted), archives that this session itself made (checkpoints, passing names), and others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Final

from hive.borg.checkpoint import Timing
from hive.borg.rpc import Call, Value, client_version

MANIFEST: Final = bytes(32)
_MOST_REMEMBERED: Final = 16 * 1024  # ids read, about 2 MB
_MOST_ARCHIVES: Final = 4 * 1024
_MOST_PENDING: Final = 1024
_MOST_METHODS: Final = 40


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """What was put and deleted between two commits; the manifest is not counted in."""

    puts: int = 0
    put_bytes: int = 0
    read_deletes: int = 0  # of objects that the session had read
    own_deletes: int = 0  # of archives that the session had made
    other_deletes: int = 0
    manifests: int = 0  # how often the manifest was put
    compacts: int = 0  # commits that asked for compaction

    @property
    def deletes(self) -> int:
        return self.read_deletes + self.own_deletes + self.other_deletes

    @property
    def is_empty(self) -> bool:
        return self == Transaction()

    def plus(self, other: Transaction) -> Transaction:
        return Transaction(
            puts=self.puts + other.puts,
            put_bytes=self.put_bytes + other.put_bytes,
            read_deletes=self.read_deletes + other.read_deletes,
            own_deletes=self.own_deletes + other.own_deletes,
            other_deletes=self.other_deletes + other.other_deletes,
            manifests=self.manifests + other.manifests,
            compacts=self.compacts + other.compacts,
        )


@dataclass(frozen=True)
class BorgError:
    """An error that the server's borg answered: its class, and its message without paths."""

    method: str
    kind: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was seen of one session. `note` says why the observer stopped, where it did."""

    protocol: str = "borg 1"
    note: str | None = None
    client_version: str | None = None
    is_open: bool = False  # the server let the client open the repository
    create: bool = False
    exclusive: bool = False
    append_only: bool = False  # asked for by the client
    calls: dict[str, int] = field(default_factory=dict)  # how often each method was called
    reads: int = 0  # objects read besides the manifest
    reads_first: int = 0  # those of them that were read before anything was put
    read_bytes: int = 0  # the manifest's too
    commits: int = 0  # answered without an error
    first: Transaction = Transaction()  # the first that was committed
    committed: Transaction = Transaction()  # all of them
    uncommitted: Transaction = Transaction()  # begun and not committed
    rolled_back: bool = False  # the client gave it up itself, as it does after an error
    archives: int = 0  # made in committed transactions, and not removed in committed ones
    checkpoint: bool = False  # the newest of them was about to be removed again
    archive: str | None = None  # the id of the newest of them
    archive_bytes: int | None = None  # what its description takes
    timing: Timing | None = None  # of its commit
    counted: bool = False  # the client asked for the number of objects before it wrote
    listed_first: bool = False  # ids were listed before the manifest was read
    check: bool = False
    repair: bool = False
    check_is_whole: bool = False  # no limit of time: all segments and the index
    check_passed: bool = False
    check_failed: bool = False
    destroyed: bool = False
    key_saved: bool = False
    lock_broken: bool = False
    errors: int = 0
    error: BorgError | None = None  # the newest one
    error_was_last: bool = False  # no commit succeeded after it
    eof: bool = False  # the client ended its side in an orderly way
    cut: bool = False  # that was in the middle of a message


@dataclass
class _Pending:
    method: str
    transaction: Transaction | None = None
    archive: bytes | None = None
    own: tuple[bytes, ...] = ()
    made: _Made | None = None


@dataclass
class _Made:
    """An archive, and when it was committed."""

    size: int
    since_former: float
    since_put: float
    answered_at: float = 0.0


class Ledger:
    """Takes the calls of a client in their order, and the answers by the number of their call.

    `read_clock` gives seconds on a clock that nobody sets.
    """

    def __init__(self, read_clock: Callable[[], float] = monotonic) -> None:
        self._clock = read_clock
        self._began_at = read_clock()  # or the last commit, or that of an archive's removal
        self._put_at: float | None = None  # the first of the running transaction
        self._ended_at: float | None = None
        self._shown: float | None = None
        self._last_size = self._archive_size = 0
        self.facts = Facts()
        self.puts = self.put_bytes = 0  # of the running transaction
        self.gets = self.gets_first = self.got_bytes = self.manifest_gets = 0
        self.put_calls = self.delete_calls = 0
        self.new_objects = 0  # put in any transaction, the manifest not counted in
        self.pending: dict[int, _Pending] = {}
        self._calls: dict[str, int] = {}
        self._now = Transaction()  # puts are counted above until it ends
        self._last_put = MANIFEST
        self._archive: bytes | None = None
        self._own: list[bytes] = []
        self._read: dict[bytes, None] = {}
        self._archives: dict[bytes, _Made] = {}
        self._dropped = Transaction()  # by a rollback, or a commit that failed
        self._removing: set[bytes] = set()  # archives of this session, not yet committed

    # calls

    @property
    def was_opened(self) -> bool:
        """Whether the client has asked to open the repository."""
        return "open" in self._calls

    def put(self, identifier: bytes, size: int) -> None:
        self.put_calls += 1
        if identifier != MANIFEST:
            if not self.puts:
                self._put_at = self._clock()
            self.puts += 1
            self.new_objects += 1
            self.put_bytes += size
            self._last_put, self._last_size = identifier, size
            return
        self._now = replace(self._now, manifests=self._now.manifests + 1)
        self._archive = self._last_put if self.puts else None
        self._archive_size = self._last_size

    def get(self, identifier: bytes) -> None:
        if identifier == MANIFEST:
            self.manifest_gets += 1
            return
        self.gets += 1
        if not self.put_calls:
            self.gets_first += 1
        if self.facts.exclusive:  # what only reads does not delete
            self._read[identifier] = None
            if len(self._read) > _MOST_REMEMBERED:
                del self._read[next(iter(self._read))]

    def delete(self, identifier: bytes) -> None:
        self.delete_calls += 1
        now = self._now
        made = self._archives.get(identifier) or next(
            (one.made for one in self.pending.values() if one.archive == identifier), None
        )
        if made is not None:
            self._shown = min(made.since_former, self._shown or made.since_former)
            self._now = replace(now, own_deletes=now.own_deletes + 1)
            self._own.append(identifier)
            self._removing.add(identifier)
        elif identifier in self._read:
            self._now = replace(now, read_deletes=now.read_deletes + 1)
        else:
            self._now = replace(now, other_deletes=now.other_deletes + 1)

    def call(self, call: Call) -> None:
        """Take a call of any other method; it is answered by its number."""
        method = call.method
        if method in self._calls or len(self._calls) < _MOST_METHODS:
            self._calls[method] = self._calls.get(method, 0) + 1
        if len(self.pending) >= _MOST_PENDING:
            raise ValueError("too many calls without an answer")
        pending = _Pending(method)
        self.pending[call.number] = pending
        if method == "negotiate":
            self._note(client_version=client_version(call))
        elif method == "open":
            asked = {
                name: call.arguments.get(name) is True
                for name in ("create", "exclusive", "append_only")
            }
            self._note(**asked)
        elif method == "commit":
            self._commit(call, pending)
        elif method == "rollback":
            self._dropped = self._dropped.plus(self._running())
            self._note(rolled_back=True)
            self._forget()
        elif method == "check":
            is_whole = not call.arguments.get("max_duration")
            repairs = call.arguments.get("repair") is True
            self._note(check=True, repair=repairs, check_is_whole=is_whole)
        elif method == "__len__":
            self._note(counted=self.facts.counted or not self._running().puts)
        elif method in {"list", "scan"}:
            self._note(
                listed_first=self.facts.listed_first or not self.manifest_gets,
                counted=self.facts.counted or not self._running().puts,
            )

    def _commit(self, call: Call, pending: _Pending) -> None:
        # Clients of 1.1 do not say whether: their server always compacted.
        compacts = int(call.arguments.get("compact") is True)
        pending.transaction = replace(self._running(), compacts=compacts)
        pending.archive = self._archive
        pending.own = tuple(self._own)
        now = self._clock()
        since_put = now - (now if self._put_at is None else self._put_at)
        pending.made = _Made(self._archive_size, now - self._began_at, since_put)
        self._began_at = now
        self._forget()

    def _running(self) -> Transaction:
        return replace(self._now, puts=self.puts, put_bytes=self.put_bytes)

    def _forget(self) -> None:
        self._now = Transaction()
        self.puts = self.put_bytes = 0
        self._archive = None
        self._own.clear()

    # answers

    def answered(self, number: int, value: Value) -> bool:
        """Take an answer without an error; False where it is one to put, get or delete."""
        pending = self.pending.pop(number, None)
        if pending is None:
            return False
        method = pending.method
        if method == "open":
            self._began_at = self._clock()
            self._note(is_open=True)
        elif method == "destroy":
            self._note(destroyed=True)
        elif method == "save_key":
            self._note(key_saved=True)
        elif method == "break_lock":
            self._note(lock_broken=True)
        elif method == "check":
            self._note(check_passed=value is True, check_failed=value is False)
        elif pending.transaction is not None:
            self._committed(pending, pending.transaction)
        return True

    def _committed(self, pending: _Pending, transaction: Transaction) -> None:
        facts = self.facts
        for identifier in pending.own:
            self._archives.pop(identifier, None)
            self._removing.discard(identifier)
        if pending.archive is not None and pending.made is not None:
            if len(self._archives) >= _MOST_ARCHIVES:
                raise ValueError("too many archives in one session")
            pending.made.answered_at = self._clock()
            self._archives[pending.archive] = pending.made
        self._note(
            commits=facts.commits + 1,
            first=facts.first if facts.commits else transaction,
            committed=facts.committed.plus(transaction),
            error_was_last=False,
        )

    def failed(self, number: int, kind: str, message: str) -> None:
        """Take an error that the server's borg answered."""
        pending = self.pending.pop(number, None)
        method = pending.method if pending is not None else "put, get or delete"
        if pending is not None and pending.transaction is not None:
            self._dropped = self._dropped.plus(pending.transaction)
        self._note(
            errors=self.facts.errors + 1,
            error=BorgError(method, kind, message),
            error_was_last=True,
        )

    # the end

    def client_ended(self) -> None:
        """The client sends no more."""
        self._ended_at = self._clock()

    def _timing(self, made: _Made) -> Timing:
        ended = None if self._ended_at is None else self._ended_at - made.answered_at
        return Timing(made.since_former, made.since_put, self._shown, ended)

    def seen(self, **more: object) -> Facts:
        """Return what is known by now."""
        newest = next(reversed(self._archives), None)
        made = None if newest is None else self._archives[newest]
        uncommitted = self._dropped.plus(self._running())
        for pending in self.pending.values():
            uncommitted = uncommitted.plus(pending.transaction or Transaction())
        calls = {"put": self.put_calls, "get": self.gets + self.manifest_gets}
        calls |= {"delete": self.delete_calls, **self._calls}
        self._note(
            calls={name: count for name, count in calls.items() if count},
            reads=self.gets,
            reads_first=self.gets_first,
            read_bytes=self.got_bytes,
            uncommitted=uncommitted,
            archives=len(self._archives),
            checkpoint=newest in self._removing,
            archive=None if newest is None else newest.hex(),
            archive_bytes=None if made is None else made.size,
            timing=None if made is None else self._timing(made),
            **more,
        )
        return self.facts

    def _note(self, **changes: object) -> None:
        self.facts = replace(self.facts, **changes)  # type: ignore[arg-type]  # names of fields
