"""What a client may ask of its repository: which path it means, and whether it may write.

borg serve is confined to one repository by its own argv; here is decided what argv cannot say.
Any path that a client types stands for its one repository, unless it names another one; and a
read-only key gets no further than reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from hive.borg.framing import REQUEST_LIMITS, MessageReader, ProtocolError
from hive.borg.rpc import Call, Refusal, answer_nothing, client_version, decode_call, refuse

MOST_BEFORE_OPEN: Final = 1024 * 1024
# A refused `put` has to be read to be answered: at most 20 MiB and a little, by borg's own limit.
LARGEST_MESSAGE: Final = 32 * 1024 * 1024
_MOST_RECORDED: Final = 32

# What reads, with the arguments that are passed on; borg ignores others just so. Each is safe
# because of what borg serve 1.1 to 1.4 does with it:
#   negotiate, rollback  answer, and forget what was never written
#   __len__, list, scan  look into the index; get reads one chunk, load_key the key from `config`
#   check                reads every segment; without repair it writes `config` anew, unchanged
#   get_free_nonce       reads the file `nonce`; only in a check, see below
#   open                 takes a lock; after a crash it also completes the index by itself
# inject_exception is a test; `close` and `info` are calls of borg 2, no server of 1.x knows them.
_READING: Final[Mapping[str, frozenset[str]]] = {
    "negotiate": frozenset({"client_data"}),
    "open": frozenset(
        {"path", "create", "lock_wait", "lock", "exclusive", "append_only", "make_parent_dirs"}
    ),
    "rollback": frozenset(),
    "__len__": frozenset(),
    "list": frozenset({"limit", "marker"}),
    "scan": frozenset({"limit", "marker"}),
    "get": frozenset({"id"}),
    "load_key": frozenset(),
    "check": frozenset({"repair", "save_space", "max_duration"}),
    "get_free_nonce": frozenset(),
}
# A client that checks archives encrypts what it reads once more, only to compare ids: it wants
# nonces for that, and sends nothing of it. Who lists chunks is checking, who writes never does.
_CHECKING: Final = frozenset({"check", "list", "scan"})
_READ_NONCE: Final = "get_free_nonce"
_RESERVE_NONCE: Final = "commit_nonce_reservation"

_IN_WORDS: Final = {
    _READ_NONCE: "writing is refused",
    _RESERVE_NONCE: "writing is refused",
    "put": "writing is refused",
    "commit": "writing is refused",
    "delete": "deleting is refused",
    "destroy": "deleting is refused",
    "save_key": "changing its key is refused",
    "break_lock": "breaking its lock is refused",
}


@dataclass(frozen=True)
class Policy:
    """`path` is what `open` gets; `other_repositories` maps names to URLs, None where not known."""

    name: str
    path: str
    writable: bool
    other_repositories: Mapping[str, str | None]
    url: str


def another_meant(path: str, policy: Policy) -> str | None:
    """Return what to tell a client whose path names another repository; None where it does not."""
    last = _last_part(path)
    others = policy.other_repositories
    if last is None or last == policy.name or last not in others:
        return None
    other = others[last]
    right = f"use {other}" if other else "it has another login"
    return f"this login opens the repository {policy.name} only ({policy.url}), not {last}: {right}"


@dataclass(frozen=True)
class Filtered:
    """What goes on to borg serve, and what goes back to the client."""

    forward: list[bytes] = field(default_factory=list)
    replies: list[bytes] = field(default_factory=list)


class RequestFilter:
    """Watches the requests of one connection, from the client to borg serve.

    For the record: what the client said of itself and of the repository in its first messages,
    and the methods that were refused.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._reader = MessageReader(REQUEST_LIMITS, largest=LARGEST_MESSAGE)
        self._before_open = 0
        self._checking = False
        self.client_version: str | None = None
        self.opened = False
        self.requested_path: str | None = None
        self.create = False
        self.exclusive = False
        self.refused_methods: list[str] = []

    @property
    def passes_through(self) -> bool:
        """Whether all that comes goes on unread from here: no more replies, no framer needed."""
        return self._policy.writable and self.opened

    def feed(self, data: bytes) -> Filtered:
        """Return what becomes of `data`.

        Raises ProtocolError when the session has to end.
        """
        if self.passes_through:
            return Filtered(forward=[data])
        result = Filtered()
        position = 0
        while position < len(data):
            if self._policy.writable and self.opened:
                result.forward.append(data[position:])
                break
            message, end = self._reader.next_message(data, position)
            self._count_before_open(end - position)
            position = end
            if message is not None:
                self._filter(message, result)
        return result

    def _count_before_open(self, size: int) -> None:
        self._before_open += 0 if self.opened else size
        if self._before_open > MOST_BEFORE_OPEN:
            raise ProtocolError("The client sent more than 1 MiB before it opened the repository.")

    def _filter(self, message: bytes, result: Filtered) -> None:
        call = decode_call(message)
        if call.method == "negotiate":
            self.client_version = self.client_version or client_version(call)
        refusal = None if self._policy.writable else self._refuse_writing(call)
        if call.method == "open":
            if not self.opened:
                self._record_open(call)
            refusal = self._refuse_other(call) or refusal
        if refusal is not None:
            self._record_refused(call.method)
            result.replies.append(refusal)
        elif call.method == "open":
            self.opened = True
            result.forward.append(self._mapped(call).encode())
        elif self._policy.writable:
            result.forward.append(message)
        elif call.method == _RESERVE_NONCE:
            result.replies.append(answer_nothing(call))
        else:
            self._checking = self._checking or call.method in _CHECKING
            result.forward.append(_known_arguments(call).encode())

    def _mapped(self, call: Call) -> Call:
        known = call if self._policy.writable else _known_arguments(call)
        return replace(known, arguments=known.arguments | {"path": self._policy.path})

    def _refuse_other(self, call: Call) -> bytes | None:
        """Return the answer to an `open` that means another repository."""
        message = another_meant(_path(call), self._policy)
        return refuse(call, Refusal.PATH_NOT_ALLOWED, message) if message else None

    def _refuse_writing(self, call: Call) -> bytes | None:
        """Return the answer to what a read-only key may not do."""
        allowed = call.method in _READING
        what = _IN_WORDS.get(call.method) or f"{_shown(call.method)} is refused"
        if call.method in {_READ_NONCE, _RESERVE_NONCE}:
            allowed = self._checking
        elif call.method == "open" and call.arguments.get("create", False) is not False:
            allowed, what = False, "creating it is refused"
        elif call.method == "open" and call.arguments.get("lock", True) is not True:
            # Without the lock borg serve would repair an index that a writer is at work on.
            allowed, what = False, "opening it without its lock is refused"
        elif call.method == "check" and not _only_looks(call):
            allowed, what = False, "a check that repairs or remembers where it stopped is refused"
        if allowed:
            return None
        message = f"Repository {self._policy.name} is read-only for this key: {what}."
        return refuse(call, Refusal.ERROR, message)

    def _record_open(self, call: Call) -> None:
        self.requested_path = _path(call)[:4096]
        self.create = bool(call.arguments.get("create"))
        self.exclusive = bool(call.arguments.get("exclusive"))

    def _record_refused(self, method: str) -> None:
        shown = _shown(method)
        if shown not in self.refused_methods and len(self.refused_methods) < _MOST_RECORDED:
            self.refused_methods.append(shown)


def _known_arguments(call: Call) -> Call:
    known = _READING[call.method]
    return replace(call, arguments={k: v for k, v in call.arguments.items() if k in known})


def _only_looks(call: Call) -> bool:
    """Tell whether a check neither repairs nor is partial: a partial one writes how far it came."""
    repair = call.arguments.get("repair", False)
    duration = call.arguments.get("max_duration", 0)
    return repair is False and type(duration) is int and duration == 0


def _path(call: Call) -> str:
    path = call.arguments.get("path")
    if not isinstance(path, bytes):
        raise ProtocolError("The client opens a repository without a path.")
    return path.decode("utf-8", "backslashreplace")


def _last_part(path: str) -> str | None:
    """Return the name in a path as clients type it: the last part that says something."""
    parts = [part for part in path.split("/") if part not in {"", ".", "~", ".."}]
    return parts[-1] if parts else None


def _shown(method: str) -> str:
    """Return a method for people and for the record: short, printable, on one line."""
    return "".join(c if c.isprintable() else "?" for c in method[:40])
