"""Every request of one connection, put before a judge, and passed on or dropped.

Bulk calls are judged by their head, and their payload passes as it lies. All others are collected,
decoded, judged, and written again from what was judged: borg serve sees nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

from hive.borg.framing import REQUEST_LIMITS, MessageReader, MessageScanner, ProtocolError
from hive.borg.heads import LONGEST_HEAD, BulkCall, put_end, read_bulk_call
from hive.borg.rpc import Call, decode_call

# borg takes objects of 20 MiB and a little; one that is refused has to be read to its end.
LARGEST_MESSAGE: Final = 32 * 1024 * 1024
# Clients wait for the answer to each call that is no bulk call. Many at once would only keep the
# event loop busy: decoding takes longer than sending.
_MOST_DECODED: Final = 64  # of one piece of data


@dataclass(slots=True)  # not frozen: one is made for each piece of data
class Filtered:
    """What goes on to borg serve, what goes back as an answer, and lines for the client's user."""

    forward: list[bytes] = field(default_factory=list)
    replies: list[bytes] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


class Judge(Protocol):
    """Decides on calls. May raise ProtocolError to end the session."""

    def judge_bulk(self, call: BulkCall) -> bytes | None:
        """Return the answer to a call that is refused, None where it passes."""

    def judge(self, call: Call, result: Filtered) -> None:
        """Add to `result` what becomes of a call."""


class CallStream:
    """Cuts what a client sends into calls, however the data is cut."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._held = b""  # the start of a message that was cut; shorter than a head
        self._reader: MessageReader | None = None  # of a message that is decoded
        self._skip = 0  # bytes of a payload that are still to come
        self._wait_follows = False
        self._decoded = 0
        self._refusal: bytes | None = None  # to the put whose payload is being dropped

    def skip_payload(self, size: int) -> bool:
        """Take note of `size` bytes that pass as they are, if they are nothing but payload."""
        if self._skip <= size or self._refusal is not None:
            return False
        self._skip -= size
        return True

    def feed(self, data: bytes) -> Filtered:
        """Return what becomes of `data`.

        Raises ProtocolError when the session has to end.
        """
        if self._held:
            data, self._held = self._held + data, b""
        self._decoded = 0
        result = Filtered()
        passed = _Passed(data, result.forward)
        position = 0
        while position < len(data):
            if self._in_bulk:
                end = self._go_on(data, position)
            else:
                end = self._next_call(data, position, passed, result)
            if end is None:
                if self._refusal is None:
                    passed.until(position)
                self._held = data[position:]
                return result
            position = end
            if not self._in_bulk and self._refusal is not None:
                passed.leave_out(position)
                result.replies.append(self._refusal)
                self._refusal = None
        if self._refusal is None:
            passed.until(position)
        return result

    @property
    def _in_bulk(self) -> bool:
        return self._skip > 0 or self._wait_follows

    def _go_on(self, data: bytes, position: int) -> int | None:
        """Return where the payload, or what stands behind it, ends in `data`."""
        if self._skip:
            step = min(self._skip, len(data) - position)
            self._skip -= step
            return position + step
        end = put_end(data, position)
        self._wait_follows = end is None
        return end

    def _next_call(
        self, data: bytes, position: int, passed: _Passed, result: Filtered
    ) -> int | None:
        """Judge what begins or goes on at `position`; None where too little is there to tell."""
        bulk = read_bulk_call(data, position) if self._reader is None else None
        if bulk is not None:
            return self._bulk(bulk, position, passed)
        if self._reader is None and _is_cut_head(data, position):
            return None
        passed.until(position)
        self._reader = self._reader or MessageReader(REQUEST_LIMITS, largest=LARGEST_MESSAGE)
        message, end = self._reader.next_message(data, position)
        passed.leave_out(end)
        if message is not None:
            self._reader = None
            self._decoded += 1
            if self._decoded > _MOST_DECODED:
                raise ProtocolError("The client sends more requests at once than borg does.")
            self._judge.judge(decode_call(message), result)
        return end

    def _bulk(self, call: BulkCall, position: int, passed: _Passed) -> int:
        if call.size > LARGEST_MESSAGE:
            raise ProtocolError("A message of borg's protocol is too long.")
        self._refusal = self._judge.judge_bulk(call)
        if self._refusal is not None:
            passed.until(position)
        self._skip = call.size
        self._wait_follows = call.is_followed_by_wait
        return call.end


class _Passed:
    """Collects the parts of `data` that go on as they lie: all of it at once where it can be."""

    __slots__ = ("_data", "_parts", "_start")

    def __init__(self, data: bytes, parts: list[bytes]) -> None:
        self._data = data
        self._parts = parts
        self._start = 0

    def until(self, position: int) -> None:
        if position > self._start:
            whole = self._start == 0 and position == len(self._data)
            self._parts.append(self._data if whole else self._data[self._start : position])
        self._start = position

    def leave_out(self, until: int) -> None:
        self._start = until


def _is_cut_head(data: bytes, position: int) -> bool:
    """Tell whether the data ends before it is clear what begins at `position`."""
    if len(data) - position >= LONGEST_HEAD:
        return False
    return MessageScanner(REQUEST_LIMITS).next_end(data, position) is None
