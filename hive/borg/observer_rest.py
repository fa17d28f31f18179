"""Borg 2's HTTP over pipes: which objects were stored, loaded and deleted, by their namespace.

Only the heads of requests and answers are read; bodies are skipped by their length. Requests come
one at a time, each after the answer to the one before.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from hive.borg.framing import ProtocolError
from hive.borg.ledger import BorgError, Facts, Transaction

_LONGEST_HEAD: Final = 64 * 1024
_MOST_KINDS: Final = 64
_LENGTH: Final = re.compile(
    rb"^content-length:[ \t]*(\d{1,15})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE
)
_CHUNKED: Final = re.compile(rb"^transfer-encoding:", re.IGNORECASE | re.MULTILINE)
_REQUEST: Final = re.compile(rb"([A-Z]{3,7}) (\S{1,4096}) HTTP/1\.[01]\r?\n")
_ANSWER: Final = re.compile(rb"HTTP/1\.[01] (\d{3})([^\r\n]*)\r?\n")
_VERSION: Final = re.compile(
    rb"^user-agent:[^\r\n]{0,200}?borg\w{0,20}/([\w.]{1,30})", re.IGNORECASE | re.MULTILINE
)
_MOVED: Final = ".del"  # what is deleted gets this suffix, and is removed later


class _HttpStream:
    """Heads of one direction, cut anywhere."""

    def __init__(self) -> None:
        self._skip = 0
        self._held = b""

    @property
    def is_cut(self) -> bool:
        return bool(self._skip or self._held)

    def heads(self, data: bytes) -> list[bytes]:
        """Return the heads that are complete with `data`; `skip_body` is called for each."""
        found: list[bytes] = []
        position = 0
        while position < len(data):
            if self._skip:
                step = min(self._skip, len(data) - position)
                self._skip -= step
                position += step
                continue
            start = data[position : position + _LONGEST_HEAD]
            text = self._held + start
            end = text.find(b"\r\n\r\n")
            if end < 0:
                if len(text) > _LONGEST_HEAD:
                    raise ProtocolError("The head of an HTTP message is too long.")
                self._held = text
                return found
            head = text[: end + 2]
            position += end + 4 - len(self._held)
            self._held = b""
            self._skip = self.body_length(head)
            found.append(head)
        return found

    def body_length(self, head: bytes) -> int:
        if _CHUNKED.search(head):
            raise ProtocolError("An HTTP message has no length.")
        length = _LENGTH.search(head)
        return int(length[1]) if length else 0


class _HttpAnswers(_HttpStream):
    def __init__(self) -> None:
        super().__init__()
        self.to_head = False

    def body_length(self, head: bytes) -> int:
        length = super().body_length(head)
        return 0 if self.to_head else length


@dataclass(frozen=True)
class _Request:
    what: str
    length: int


class RestWatch:
    """Borg 2's side of an Observer."""

    def __init__(self) -> None:
        self._requests = _HttpStream()
        self._answers = _HttpAnswers()
        self._waiting: _Request | None = None
        self._done: Counter[str] = Counter()
        self._stored = Counter[str]()
        self._loaded = 0
        self._errors = 0
        self._error: BorgError | None = None
        self._version: str | None = None
        self.brings_new_data = False
        self.changes = False

    def client(self, data: bytes) -> None:
        for head in self._requests.heads(data):
            self._begin(head)

    def server(self, data: bytes) -> None:
        for head in self._answers.heads(data):
            found = _ANSWER.match(head)
            if found is None:
                raise ProtocolError("An answer is not HTTP.")
            self._finish(int(found[1]), found[2].decode("ascii", "replace").strip(), head)

    def client_eof(self) -> None:
        """Nothing follows from when it was."""

    @property
    def is_open(self) -> bool:
        return bool(self._done)

    @property
    def only_reads(self) -> bool:
        return self.is_open and not self.changes

    def facts(self, *, eof: bool) -> Facts:
        calls = dict(self._done)
        committed = Transaction(
            puts=calls.get("store packs", 0) + calls.get("store archives", 0),
            put_bytes=self._stored["store packs"] + self._stored["store archives"],
            other_deletes=calls.get("delete archives", 0),
        )
        return Facts(
            protocol="borg 2",
            client_version=self._version,
            is_open=bool(calls),
            create="create" in calls,
            calls=calls,
            reads=calls.get("load packs", 0),
            read_bytes=self._loaded,
            committed=committed,
            archives=calls.get("store archives", 0),
            destroyed="destroy" in calls,
            key_saved="store keys" in calls,
            errors=self._errors,
            error=self._error,
            error_was_last=self._error is not None,
            eof=eof,
            cut=self._requests.is_cut,
        )

    def _begin(self, head: bytes) -> None:
        found = _REQUEST.match(head)
        if found is None:
            raise ProtocolError("A request is not HTTP.")
        if self._waiting is not None:
            raise ProtocolError("A request came before the answer to the one before.")
        if self._version is None and (version := _VERSION.search(head)):
            self._version = version[1].decode("ascii")
        method = found[1].decode("ascii")
        self._answers.to_head = method == "HEAD"
        what = _kind(method, found[2].decode("ascii"))
        self.brings_new_data |= what == "store packs"
        verb, _, namespace = what.partition(" ")
        is_content = namespace in {"packs", "archives"}
        self.changes |= is_content and verb in {"store", "delete", "remove", "move"}
        self._waiting = _Request(what, self._requests.body_length(head))

    def _finish(self, status: int, reason: str, head: bytes) -> None:
        request, self._waiting = self._waiting, None
        if request is None:
            raise ProtocolError("An answer came to no request.")
        what = request.what
        if status in {404, 416}:
            return  # asked for what is not there: borg 2 does so as it goes along
        if status >= 400:
            self._errors += 1
            kind = "StorageQuotaExceeded" if status == 507 else "HTTP"
            self._error = BorgError(what, kind, f"{what}: {status} {reason}"[:300])
            return
        if what not in self._done and len(self._done) >= _MOST_KINDS:
            raise ProtocolError("Too many kinds of requests.")
        self._done[what] += 1
        if what.startswith("store "):
            self._stored[what] += request.length
            self._error = None
        elif what.startswith("load "):
            self._loaded += self._answers.body_length(head)


def _kind(method: str, target: str) -> str:
    """Return what a request does, and to which namespace: "store packs", "delete archives"."""
    parts = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    command = query.get("cmd", "")
    path = unquote(parts.path)
    if command in {"create", "destroy", "quota"}:
        return command
    if command == "move":
        return _move(query.get("current", ""), query.get("new", ""))
    if command == "defrag":
        return f"defrag {_namespace(query.get('namespace', ''))}"
    verb = {"POST": "store", "PUT": "store", "DELETE": "remove", "HEAD": "look at"}
    lists = "list" if path.endswith("/") else "load"
    what = command[:20] or (lists if method == "GET" else verb.get(method, method.lower()))
    return f"{what} {_namespace(path)}"


def _move(current: str, new: str) -> str:
    what = "undelete" if current.endswith(_MOVED) else "move"
    return f"{'delete' if new.endswith(_MOVED) else what} {_namespace(current)}"


def _namespace(path: str) -> str:
    """Return the first part of an object's path that is one of borg 2's own, else "other"."""
    for part in path.split("/"):
        if part in {"archives", "packs", "config", "keys", "locks", "index", "cache", "data"}:
            return part
    return "other"
