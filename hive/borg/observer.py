"""Watches both directions of one session, and tells what was seen: never in the way of a byte.

The data is read where it lies. Of the calls that come by the million (put, get, delete, and the
answers to them) one look at the first bytes tells method, id and size, and the payload is skipped;
only short messages are put together and decoded. What cannot be read switches the observer off,
with a note; the session goes on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Protocol

import msgpack

from hive.borg.framing import (
    REQUEST_LIMITS,
    RESPONSE_LIMITS,
    Limits,
    MessageReader,
    MessageScanner,
    ProtocolError,
)
from hive.borg.ledger import Facts, Ledger
from hive.borg.rpc import decode_call

# What has to be there to tell a call that is skipped from one that is decoded: its longest start.
_HEAD: Final = 80
_LARGEST_MESSAGE: Final = 1024 * 1024
_LONGEST_MESSAGE_SHOWN: Final = 300

_NUMBER = rb"([\x00-\x7f]|\xcc.|\xcd..|\xce.{4}|\xcf.{8})"
_ID = rb"\xa2id\xda\x00\x20(.{32})"
_BYTES = rb"(?:([\xa0-\xbf])|\xda(..)|\xdb(.{4}))"
_CALL: Final = re.compile(
    rb"\x83\xa1i" + _NUMBER + rb"\xa1m(?:"
    rb"\xa3put\xa1a([\x82\x83])" + _ID + rb"\xa4data" + _BYTES + rb"|"
    rb"\xa3get\xa1a\x81" + _ID + rb"|"
    rb"\xa6delete\xa1a(?:\x81" + _ID + rb"|\x82" + _ID + rb"\xa4wait[\xc2\xc3]))",
    re.DOTALL,
)
# Clients send the argument `wait` only where they leave it at its default.
_WITH_WAIT: Final = b"\x83"
_PUT_END: Final = re.compile(rb"\xa4wait[\xc2\xc3]")
_ANSWER: Final = re.compile(
    rb"\x82\xa1i" + _NUMBER + rb"\xa1r(?:(\xc0)|" + _BYTES + rb")", re.DOTALL
)
_LIST: Final = re.compile(rb"\x82\xa1i" + _NUMBER + rb"\xa1r[\x90-\x9f\xdc\xdd]", re.DOTALL)

_PATH: Final = re.compile(r"(?<![\w.])/[^\s'\":,()]+")


class Watch(Protocol):
    """One protocol, both directions. The methods may raise anything that they cannot read."""

    def client(self, data: bytes) -> None: ...
    def server(self, data: bytes) -> None: ...
    def facts(self, *, eof: bool) -> Facts: ...


class Observer:
    """What the relay tells of the bytes that pass; nothing of it raises."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._note: str | None = None
        self._eof = False

    def client(self, data: bytes) -> None:
        """Take what goes to the server's borg."""
        if self._note is None:
            self._watch_one("client", self._watch.client, data)

    def client_eof(self) -> None:
        self._eof = True

    def server(self, data: bytes) -> None:
        """Take what the server's borg answers."""
        if self._note is None:
            self._watch_one("server", self._watch.server, data)

    def _watch_one(self, side: str, take: Callable[[bytes], None], data: bytes) -> None:
        try:
            take(data)
        except ProtocolError as error:
            self._note = f"{side}: {error.message}"
        except Exception as error:  # noqa: BLE001 - whatever comes, the session is not ours to end
            self._note = f"{side}: {type(error).__name__}: {error}"[:200]

    def facts(self) -> Facts:
        """Return what was seen until now."""
        facts = self._watch.facts(eof=self._eof)
        if self._note is None:
            return facts
        return Facts(facts.protocol, self._note, facts.client_version, facts.is_open)


class RpcWatch:
    """Borg 1's protocol. `hidden` are paths that no message may show."""

    def __init__(self, hidden: tuple[str, ...] = ()) -> None:
        self._ledger = Ledger()
        self._calls = _Calls(self._ledger)
        self._answers = _Answers(self._ledger, hidden)

    def client(self, data: bytes) -> None:
        self._calls.feed(data)

    def server(self, data: bytes) -> None:
        self._answers.feed(data)

    def facts(self, *, eof: bool) -> Facts:
        return self._ledger.seen(eof=eof, cut=self._calls.is_cut)


class _Stream:
    """Messages of one direction, cut anywhere."""

    def __init__(self, limits: Limits) -> None:
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
        window = held + data[position : position + _HEAD]
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
        if len(data) - position < _HEAD:
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
            ended = _PUT_END.match(data, position)
            if ended is not None:
                self._put_ends = False
                return ended.end()
            if len(data) - position >= 6:
                raise ProtocolError("A put has an argument that borg does not send.")
            return None
        found = _CALL.match(data, position)
        if found is None:
            return self._whole(data, position)
        _, names, put, short, medium, long, get, *deletes = found.groups()
        if put is not None:
            self._skip = _length(short, medium or long)
            self._put_ends = names == _WITH_WAIT
            self._ledger.put(put, self._skip)
        elif get is not None:
            self._ledger.get(get)
        else:
            self._ledger.delete(deletes[0] or deletes[1])
        return found.end()

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
        found = _ANSWER.match(data, position)
        if found is not None:
            number, nothing, short, medium, long = found.groups()
            known = self._ledger.pending and self._ledger.answered(_integer(number), None)
            if nothing is None:
                self._skip = _length(short, medium or long)
                self._ledger.got_bytes += 0 if known else self._skip
            return found.end()
        listed = _LIST.match(data, position)
        if listed is None:
            return self._whole(data, position)
        self._ledger.answered(_integer(listed[1]), None)
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
        text = b" ".join(line for line in lines if isinstance(line, bytes))
        self._ledger.failed(number, _plain(kind, ())[:60], _plain(text, self._hidden))


def _length(short: bytes | None, counted: bytes | None) -> int:
    return (
        int.from_bytes(counted, "big") if short is None and counted else (short or b"\xa0")[0] & 31
    )


def _integer(packed: bytes) -> int:
    return packed[0] if len(packed) == 1 else int.from_bytes(packed[1:], "big")


def _checked(number: object) -> int:
    if type(number) is not int:
        raise ProtocolError("An answer has no number.")
    return number


def _plain(text: object, hidden: tuple[str, ...]) -> str:
    """Return a message of borg for people: one short line without paths of this machine."""
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else ""
    for path in hidden:
        words = words.replace(path, "…")
    words = " ".join(_PATH.sub("…", words).split())
    shown = "".join(letter if letter.isprintable() else "?" for letter in words)
    return shown[:_LONGEST_MESSAGE_SHOWN]
