"""Watches both directions of one session, and tells what was seen: never in the way of a byte.

The data is read where it lies. Of the calls that come by the million (put, get, delete, and the
answers to them) one look at the first bytes tells method, id and size, and the payload is skipped;
only short messages are put together and decoded. What cannot be read switches the observer off,
with a note; the session goes on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from time import monotonic
from typing import Final, Protocol

import msgpack

from hive.borg.framing import (
    REQUEST_LIMITS,
    RESPONSE_LIMITS,
    FrameLimits,
    MessageReader,
    MessageScanner,
    ProtocolError,
)
from hive.borg.heads import (
    LONGEST_HEAD,
    list_number,
    put_end,
    read_answer,
    read_bulk_call,
)
from hive.borg.ledger import Facts, Ledger
from hive.borg.rpc import decode_call

_LARGEST_MESSAGE: Final = 1024 * 1024
_LONGEST_MESSAGE_SHOWN: Final = 300
_MOST_LINES_READ: Final = 100
_LONGEST_MESSAGE_READ: Final = 4096  # bytes of it; what is shown is at its beginning

_PATH: Final = re.compile(r"(?<![\w.])/[^\s'\":,()]+")


class ProtocolWatch(Protocol):
    """One protocol, both directions. The methods may raise anything that they cannot read."""

    def client(self, data: bytes) -> None: ...
    def server(self, data: bytes) -> None: ...
    def client_eof(self) -> None: ...
    def facts(self, *, eof: bool) -> Facts: ...
    @property
    def is_open(self) -> bool: ...
    @property
    def only_reads(self) -> bool: ...
    @property
    def brings_new_data(self) -> bool: ...
    @property
    def changes(self) -> bool: ...


class Observer:
    """What the relay tells of the bytes that pass; nothing of it raises."""

    def __init__(self, watch: ProtocolWatch) -> None:
        self._watch = watch
        self._note: str | None = None
        self._eof = False
        self._is_over = False

    def client(self, data: bytes) -> None:
        """Take what goes to the server's borg."""
        if self._note is None:
            self._watch_one("client", self._watch.client, data)

    def client_eof(self) -> None:
        """The client sends no more."""
        self._eof = self._is_over = True
        self._watch.client_eof()

    def end(self) -> None:
        """The client is gone, or its session is ended: what the server's borg says is no answer."""
        self._is_over = True

    def server(self, data: bytes) -> None:
        """Take what the server's borg answers."""
        if self._note is None:
            self._watch_one("server", self._watch.server, data)

    @property
    def only_reads(self) -> bool:
        """Whether the session lists, mounts or checks, and has written nothing.

        A backup wants the repository for itself. Where nothing can be read, it may be one.
        """
        return self._note is None and self._watch.only_reads

    @property
    def brings_new_data(self) -> bool:
        """Whether the client has sent an object other than the list of archives."""
        return self._watch.brings_new_data

    @property
    def changes(self) -> bool:
        """Whether the client has begun to change the repository."""
        return self._watch.changes

    def _watch_one(self, side: str, take: Callable[[bytes], None], data: bytes) -> None:
        try:
            take(data)
        except ProtocolError as error:
            self._stop(f"{side}: {error.message}")
        except Exception as error:  # noqa: BLE001 - whatever comes, the session is not ours to end
            self._stop(f"{side}: {type(error).__name__}: {error}"[:200])

    def _stop(self, note: str) -> None:
        # To a client that left before it opened anything, borg says so in words, among its answers.
        if not self._is_over or self._watch.is_open:
            self._note = note

    def facts(self) -> Facts:
        """Return what was seen until now."""
        facts = self._watch.facts(eof=self._eof)
        if self._note is None:
            return facts
        return Facts(
            protocol=facts.protocol,
            note=self._note,
            client_version=facts.client_version,
            is_open=facts.is_open,
        )


class RpcWatch:
    """Borg 1's protocol. `hidden` are paths that no message may show.

    `read_clock` gives seconds on a clock that nobody sets.
    """

    def __init__(
        self, hidden: tuple[str, ...] = (), read_clock: Callable[[], float] = monotonic
    ) -> None:
        self._ledger = Ledger(read_clock)
        self._calls = _Calls(self._ledger)
        self._answers = _Answers(self._ledger, hidden)

    def client(self, data: bytes) -> None:
        self._calls.feed(data)

    def server(self, data: bytes) -> None:
        self._answers.feed(data)

    def client_eof(self) -> None:
        self._ledger.client_ended()

    def facts(self, *, eof: bool) -> Facts:
        return self._ledger.seen(eof=eof, cut=self._calls.is_cut)

    @property
    def is_open(self) -> bool:
        return self._ledger.facts.is_open

    @property
    def only_reads(self) -> bool:
        facts = self._ledger.facts
        if not self._ledger.was_opened or self.changes:
            return False
        return not facts.exclusive or facts.check or facts.listed_first

    @property
    def brings_new_data(self) -> bool:
        return bool(self._ledger.new_objects)

    @property
    def changes(self) -> bool:
        return bool(self._ledger.put_calls or self._ledger.delete_calls)


class _Stream:
    """Messages of one direction, cut anywhere."""

    def __init__(self, limits: FrameLimits) -> None:
        self._limits = limits
        self._skip = 0  # bytes of a payload that are still to come
        self._held = b""  # the start of a message that was cut; shorter than a head
        self._scanner: MessageScanner | None = None  # of a message that is skipped
        self._reader: MessageReader | None = None  # of a message that is decoded

    @property
    def is_cut(self) -> bool:
        return bool(self._skip or self._held or self._scanner or self._reader)

    def feed(self, data: bytes) -> None:
        position, size = 0, len(data)
        while position < size:
            if self._skip:
                step = min(self._skip, size - position)
                self._skip -= step
                position += step
            elif self._scanner is not None:
                end = self._scanner.next_end(data, position)
                if end is None:
                    return
                self._scanner, position = None, end
            elif self._reader is not None:
                message, position = self._reader.next_message(data, position)
                if message is not None:
                    self._reader = None
                    self._message(message)
            elif self._held:
                position = self._go_on(data, position)
            else:
                end = self._head(data, position)
                if end is None:
                    self._held = data[position:]
                    return
                position = end

    def _go_on(self, data: bytes, position: int) -> int:
        """Return where it goes on after a head that began in what came before."""
        held, self._held = self._held, b""
        window = held + data[position : position + LONGEST_HEAD]
        end = self._head(window, 0)
        if end is None:
            self._held = window
            return len(data)
        return position + end - len(held)

    def _head(self, data: bytes, position: int) -> int | None:
        """Return where it goes on after the head at `position`; None where too little is there."""
        raise NotImplementedError

    def _message(self, message: bytes) -> None:
        raise NotImplementedError

    def _whole(self, data: bytes, position: int) -> int | None:
        """Decode a message that is not skipped; the same answer as `_head`."""
        if len(data) - position < LONGEST_HEAD:
            end = MessageScanner(self._limits).next_end(data, position)
            if end is not None:
                self._message(data[position:end])
            return end
        reader = MessageReader(self._limits, largest=_LARGEST_MESSAGE)
        message, end = reader.next_message(data, position)
        if message is None:
            self._reader = reader
        else:
            self._message(message)
        return end


class _Calls(_Stream):
    def __init__(self, ledger: Ledger) -> None:
        super().__init__(REQUEST_LIMITS)
        self._ledger = ledger
        self._put_ends = False  # after the payload of a put

    @property
    def is_cut(self) -> bool:
        return self._put_ends or super().is_cut

    def _head(self, data: bytes, position: int) -> int | None:
        if self._put_ends:
            end = put_end(data, position)
            self._put_ends = end is None
            return end
        call = read_bulk_call(data, position)
        if call is None:
            return self._whole(data, position)
        if call.method == "put":
            self._skip = call.size
            self._put_ends = call.is_followed_by_wait
            self._ledger.put(call.identifier, call.size)
        elif call.method == "get":
            self._ledger.get(call.identifier)
        else:
            self._ledger.delete(call.identifier)
        return call.end

    def _message(self, message: bytes) -> None:
        call = decode_call(message)
        if call.method in {"put", "get", "delete"}:
            raise ProtocolError(f"A {call.method} has a shape that borg does not send.")
        self._ledger.call(call)


class _Answers(_Stream):
    def __init__(self, ledger: Ledger, hidden: tuple[str, ...]) -> None:
        super().__init__(RESPONSE_LIMITS)
        self._ledger = ledger
        self._hidden = hidden

    def _head(self, data: bytes, position: int) -> int | None:
        answer = read_answer(data, position)
        if answer is not None:
            known = self._ledger.pending and self._ledger.answered(answer.number, None)
            self._skip = answer.size
            self._ledger.got_bytes += 0 if known else answer.size
            return answer.end
        number = list_number(data, position)
        if number is None:
            return self._whole(data, position)
        self._ledger.answered(number, None)
        self._scanner = MessageScanner(RESPONSE_LIMITS)
        end = self._scanner.next_end(data, position)
        if end is None:
            return len(data)
        self._scanner = None
        return end

    def _message(self, message: bytes) -> None:
        content = msgpack.unpackb(message, raw=True, use_list=False, max_ext_len=0)
        if isinstance(content, tuple) and len(content) == 4:  # to the first call only
            self._ledger.answered(_checked(content[1]), content[3])
            return
        if not isinstance(content, dict):
            raise ProtocolError("An answer has the wrong shape.")
        number = _checked(content.get(b"i"))
        kind = content.get(b"exception_class")
        if kind is None:
            self._ledger.answered(number, content.get(b"r"))
            return
        lines = content.get(b"exception_short") or content.get(b"exception_args") or ()
        shown = lines[:_MOST_LINES_READ] if isinstance(lines, tuple) else ()
        text = b" ".join(line[:_LONGEST_MESSAGE_READ] for line in shown if isinstance(line, bytes))
        self._ledger.failed(number, _plain(kind, ())[:60], _plain(text, self._hidden))


def _checked(number: object) -> int:
    if type(number) is not int:
        raise ProtocolError("An answer has no number.")
    return number


def _plain(text: object, hidden: tuple[str, ...]) -> str:
    """Return a message of borg for people: one short line without paths of this machine."""
    read = text[:_LONGEST_MESSAGE_READ] if isinstance(text, bytes) else b""
    words = read.decode("utf-8", "replace")
    for path in hidden:
        words = words.replace(path, "…")
    words = " ".join(_PATH.sub("…", words).split())
    shown = "".join(letter if letter.isprintable() else "?" for letter in words)
    return shown[:_LONGEST_MESSAGE_SHOWN]
