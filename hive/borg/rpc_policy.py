"""What a client may ask of its repository: every request of every session is decided here.

borg serve is confined to one repository by its own argv; here is decided what argv cannot say.
`TABLE` says which method each access may call in which phase of a session; below it stand the
rules on arguments. The phases are:

START        nothing is open yet
OPENING      `open` went to borg serve, which has not answered: no client goes on meanwhile
SHARED       open, with borg's shared lock
EXCLUSIVE    open, with borg's exclusive lock
MAINTENANCE  a full key asked to open without the lock, as `borg key export`, `key import` and
             `break-lock` do: it was opened with the shared lock instead
LOCKED       the same, but a lock lies on the disk: opened without one, to break it
CLOSED       opening failed, or the repository was destroyed

Why so strict: borg serve keeps a repository whose opening failed, and begins a transaction even
where a first write found no lock, so that a second write would pass without. A write beside a
session that commits or compacts destroys what that session keeps. And any read without the lock
may complete or rewrite an index that a writer is at work on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from hive.borg.framing import ProtocolError
from hive.borg.heads import BulkCall
from hive.borg.ledger import MANIFEST
from hive.borg.repository_path import PathRule
from hive.borg.rpc import Call
from hive.borg.rpc_arguments import unknown_argument
from hive.kinds import Access
from hive.sentences import say


class Phase(Enum):
    START = "start"
    OPENING = "opening"
    SHARED = "shared"
    EXCLUSIVE = "exclusive"
    MAINTENANCE = "maintenance"
    LOCKED = "locked"
    CLOSED = "closed"


# f: full access, a: append-only, r: read-only. What is not here is refused to everybody;
# inject_exception is a test of borg's, `close` and `info` are calls of borg 2.
TABLE: Final[Mapping[str, Mapping[Phase, str]]] = {
    "negotiate": {Phase.START: "far"},
    "open": {Phase.START: "far"},
    "get": {Phase.SHARED: "far", Phase.EXCLUSIVE: "far", Phase.MAINTENANCE: "f"},
    "__len__": {Phase.SHARED: "far", Phase.EXCLUSIVE: "far"},
    "list": {Phase.SHARED: "far", Phase.EXCLUSIVE: "far"},
    "scan": {Phase.SHARED: "far", Phase.EXCLUSIVE: "far"},
    "load_key": {Phase.SHARED: "far", Phase.EXCLUSIVE: "far", Phase.MAINTENANCE: "f"},
    "rollback": {
        Phase.SHARED: "far",
        Phase.EXCLUSIVE: "far",
        Phase.MAINTENANCE: "f",
        Phase.LOCKED: "f",
    },
    "check": {Phase.EXCLUSIVE: "far"},
    "get_free_nonce": {Phase.EXCLUSIVE: "far"},
    "commit_nonce_reservation": {Phase.EXCLUSIVE: "far"},
    "put": {Phase.EXCLUSIVE: "fa"},
    "delete": {Phase.EXCLUSIVE: "fa"},
    "commit": {Phase.EXCLUSIVE: "fa"},
    "save_key": {Phase.SHARED: "f", Phase.EXCLUSIVE: "f", Phase.MAINTENANCE: "f"},
    "destroy": {Phase.EXCLUSIVE: "f"},
    "break_lock": {Phase.MAINTENANCE: "f", Phase.LOCKED: "f"},
}
_LETTER: Final = {Access.FULL: "f", Access.APPEND_ONLY: "a", Access.READ_ONLY: "r"}

_READ_NONCE: Final = "get_free_nonce"
_RESERVE_NONCE: Final = "commit_nonce_reservation"
# A client that checks archives encrypts what it reads once more, only to compare ids: it wants
# nonces for that, and sends nothing of it. Who lists chunks is checking, who writes never does.
_CHECKING: Final = frozenset({"check", "list", "scan"})
# borg reserves 2**28 nonces at a time, of 16 bytes each. Near 2**64 no backup would be possible
# any more, so an append-only key gets room for what it sends and for a client that is ahead.
_MOST_NONCES: Final = 2**32
_MOST_FIRST_NONCE: Final = 2**48  # where the repository has no record of nonces
# Deleting writes the list of archives again, which gets shorter by it.
_MOST_MANIFEST_BYTES: Final = 32 * 1024 * 1024  # of a session that may not bring new data

_IN_WORDS: Final = {
    _READ_NONCE: say("writing is refused"),
    _RESERVE_NONCE: say("writing is refused"),
    "put": say("writing is refused"),
    "commit": say("writing is refused"),
    "delete": say("deleting is refused"),
    "destroy": say("deleting is refused"),
    "save_key": say("changing its key is refused"),
    "break_lock": say("breaking its lock is refused"),
}


def _nobody() -> str | None:
    return None


def _no_lock() -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What holds for one session.

    `path` is what `open` gets. `in_the_way` names another session of the repository, if one runs;
    `is_locked` tells whether a lock of borg lies on the disk. Both are asked when it matters.
    `is_created` tells whether the repository was there when the session was admitted: where it was
    not, an append-only key may create it, and stores the new repository's key in that session.
    """

    name: str
    path: str
    access: Access
    url: str
    paths: PathRule
    is_created: bool = True
    in_the_way: Callable[[], str | None] = field(default=_nobody)
    is_locked: Callable[[], bool] = field(default=_no_lock)


class Rules:
    """Says what is refused, and keeps what of a session's history that depends on."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.phase = Phase.START
        self.is_former = False  # opened by a path that is accepted for opening only
        self.is_creating = False  # `open` asked for a new repository
        self.no_new_data: str | None = None
        self._letter = _LETTER[policy.access]
        self._checking = False
        self._has_written = False  # something that no commit or rollback followed
        self._only_reads = False  # after a check, which leaves a transaction open where it fails
        self._nonces = 0
        self._put_bytes = 0
        self._manifest_bytes = 0
        self._manifest_waits = False  # for its commit

    def passed(self, call: Call) -> bool:
        """Take note of a call that nothing speaks against.

        Return whether borg serve has to do it: some need no more than the answer that it is done.
        """
        method = call.method
        self._checking = self._checking or method in _CHECKING
        if method == "check":
            self._only_reads = call.arguments.get("repair") is not True
        elif method in ("put", "delete"):
            self._has_written = True
        elif method in ("commit", "rollback"):
            self._has_written = self._manifest_waits = False
        elif method == "destroy":
            self.phase = Phase.CLOSED
        elif method == "break_lock":  # the lock on the disk may be this session's
            return self.phase is not Phase.MAINTENANCE
        return method != _RESERVE_NONCE or self._letter != "r"

    def objection_to_bulk(self, call: BulkCall) -> str | None:
        """Return why a put, get or delete is refused, None where it passes."""
        why = self._objection(call.method)
        if why is None and call.method == "put":
            why = self._objection_to_put(call.identifier, call.size)
        elif why is None and call.method == "get":
            why = self._objection_to_get(call.identifier)
        if why is None and call.method != "get":
            self._has_written = True
        return why

    def objection(self, call: Call) -> str | None:
        """Return why any other call is refused, None where it passes."""
        return (
            self._objection(call.method)
            or self._objection_by_access(call)
            or self._objection_to_arguments(call)
        )

    def objection_to_opening(self, call: Call) -> str | None:
        """Return why an `open` is refused whose path is right."""
        if call.arguments.get("lock", True) is True:
            return None
        other = self.policy.in_the_way()
        if other is not None:
            return say(
                "Repository %(name)s is in use by %(other)s: it is opened without its "
                "lock only while nothing else runs.",
                name=self.policy.name,
                other=other,
            )
        if call.arguments.get("create"):
            return say(
                "Repository %(name)s: it is created with its lock only.", name=self.policy.name
            )
        return None

    def _objection(self, method: str) -> str | None:
        """Return why `method` is refused here and now, None where nothing speaks against it."""
        if self.phase is Phase.OPENING:
            raise ProtocolError("The client goes on before the repository is open.")
        phases = TABLE.get(method)
        if phases is None:
            return self._worded(say("%(method)s is refused", method=shown_method(method)))
        if self._letter in phases.get(self.phase, "") or self._stores_new_key(method):
            return self._objection_by_history(method)
        if not any(self._letter in letters for letters in phases.values()):
            return self._worded(_IN_WORDS.get(method, say("%(method)s is refused", method=method)))
        return self._objection_to_phase(method)

    def _stores_new_key(self, method: str) -> bool:
        """Whether this is what creates a repository with an append-only key, as `borg init`."""
        is_new = self.is_creating and self.phase is Phase.EXCLUSIVE
        return method == "save_key" and self._letter == "a" and is_new

    def _may_create(self) -> bool:
        return self._letter == "a" and not self.policy.is_created

    def _objection_by_history(self, method: str) -> str | None:
        name, why = self.policy.name, None
        if method in (_READ_NONCE, _RESERVE_NONCE) and self._letter == "r" and not self._checking:
            why = self._worded(say("writing is refused"))
        elif method in ("put", "delete", "commit") and self._only_reads:
            why = say(
                "Repository %(name)s: after a check, %(what)s.",
                name=name,
                what=_IN_WORDS[method],
            )
        elif method == "commit" and not self._has_written:
            # borg serve would commit what a rollback gave up, beside an index without it.
            why = say(
                "Repository %(name)s: nothing was written that could be committed.", name=name
            )
        elif method == "delete" and self._letter == "a":
            # Nothing becomes free by it, and the note of it takes room.
            why = self.no_new_data
        elif method == "destroy" and self.is_former:
            why = say(
                "Repository %(name)s is deleted by its right path only: %(url)s.",
                name=name,
                url=self.policy.url,
            )
        elif method == "break_lock" and (other := self.policy.in_the_way()) is not None:
            why = say(
                "Repository %(name)s is in use by %(other)s: its lock is not broken.",
                name=name,
                other=other,
            )
        return why

    def _objection_to_phase(self, method: str) -> str:
        name = self.policy.name
        if self.phase is Phase.SHARED:
            return say(
                "Repository %(name)s: %(method)s needs its exclusive lock, which is not held.",
                name=name,
                method=method,
            )
        if self.phase is Phase.LOCKED:
            return say(
                "Repository %(name)s is locked: without its lock it only accepts `borg "
                "break-lock`. Run that if the lock is stale, and leave out --bypass-lock.",
                name=name,
            )
        if self.phase is Phase.MAINTENANCE:
            return say(
                "Repository %(name)s is opened without its lock only for `borg key "
                "export`, `borg key import` and `borg break-lock`: leave out "
                "--bypass-lock.",
                name=name,
            )
        if method in ("open", "negotiate"):
            return say(
                "Repository %(name)s: %(method)s comes once in a session.", name=name, method=method
            )
        return say(
            "Repository %(name)s is not open: %(method)s is refused.", name=name, method=method
        )

    def _objection_by_access(self, call: Call) -> str | None:
        what = None
        if self._letter == "f":
            return None
        if call.method == "check" and call.arguments.get("repair"):
            what = say("a check that repairs is refused")
        elif call.method == "check" and call.arguments.get("max_duration") and self._letter == "r":
            what = say("a check that remembers where it stopped is refused")
        elif call.method == "open" and call.arguments.get("create") and not self._may_create():
            what = say("creating it is refused")
        elif call.method == "open" and call.arguments.get("lock", True) is not True:
            what = say(
                "opening it without its lock is refused. `borg key export`, `borg "
                "break-lock` and --bypass-lock need a key with full access"
            )
        return None if what is None else self._worded(what)

    def _objection_to_arguments(self, call: Call) -> str | None:
        arguments, name = call.arguments, unknown_argument(call)
        if name is not None and call.method == "save_key":
            return say(
                "Repository %(name)s: what was sent is not a borg key.",
                name=self.policy.name,
            )
        if name is not None:
            return say(
                "Repository %(name)s: borg sends no %(argument)s with %(method)s.",
                name=self.policy.name,
                argument=name,
                method=call.method,
            )
        if call.method == _RESERVE_NONCE:
            return self._objection_to_nonces(arguments["next_unreserved"], arguments["start_nonce"])
        if call.method == "put":
            data = arguments["data"]
            return self._objection_to_put(
                arguments["id"], len(data) if isinstance(data, bytes) else 0
            )
        return self._objection_to_get(arguments["id"]) if call.method == "get" else None

    def _objection_to_get(self, identifier: object) -> str | None:
        if self.phase is Phase.MAINTENANCE and identifier != MANIFEST:
            return self._objection_to_phase("get")
        return None

    def _objection_to_put(self, identifier: object, size: int) -> str | None:
        if self.no_new_data is not None:
            if identifier != MANIFEST or self._letter != "f" or self._manifest_waits:
                return self.no_new_data
            self._manifest_waits = True
            self._manifest_bytes += size
            if self._manifest_bytes > _MOST_MANIFEST_BYTES:
                return self.no_new_data
        self._put_bytes += size
        return None

    def _objection_to_nonces(self, end: object, start: object) -> str | None:
        if self._letter != "a" or not isinstance(end, int):
            return None
        if isinstance(start, int):
            self._nonces += max(0, end - start)
            if start <= end and self._nonces <= _MOST_NONCES + self._put_bytes:
                return None
        elif end <= _MOST_FIRST_NONCE:
            return None
        return self._worded(
            "reserving that many nonces is refused. Back up once with a key that has full access"
        )

    def _worded(self, what: str) -> str:
        kind = "read-only" if self._letter == "r" else "append-only"
        if self._letter == "f":
            return say("Repository %(name)s: %(what)s.", name=self.policy.name, what=what)
        return say(
            "Repository %(name)s is %(kind)s for this key: %(what)s.",
            name=self.policy.name,
            kind=kind,
            what=what,
        )


def shown_method(method: str) -> str:
    """Return a method for people and for the record: short, printable, on one line."""
    return "".join(c if c.isprintable() else "?" for c in method[:40])
