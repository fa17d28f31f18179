"""Where one msgpack message ends and the next begins, without keeping or decoding any of it.

borg's protocol is a bare sequence of msgpack values, without lengths before them. A scanner walks
over their headers only: a chunk of 20 MiB costs as little as a small one, and what is nested too
deep, too long or of an unknown type is refused before anything is built from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from hive.errors import HiveError


class ProtocolError(HiveError):
    """What came is not borg's protocol, or more of it than is good: the session has to end."""


@dataclass(frozen=True)
class FrameLimits:
    """`length` is of one array or map, `items` of all that one message holds."""

    depth: int
    length: int
    items: int


# borg itself allows 100 per array or map in a request; no request of 1.1 to 1.4 has more than 20.
REQUEST_LIMITS: Final = FrameLimits(depth=8, length=100, items=1000)
# A list of ids is the longest answer: clients ask for 100 000 at most.
RESPONSE_LIMITS: Final = FrameLimits(depth=16, length=1_000_000, items=4_000_000)


class _Kind(IntEnum):
    BYTES = 0  # as many bytes follow
    COUNTED_BYTES = 1  # a length of as many bytes follows, then the bytes
    ARRAY = 2  # as many values follow
    COUNTED_ARRAY = 3
    MAP = 4  # as many pairs of values follow
    COUNTED_MAP = 5
    REFUSED = 6


def _kind(first: int) -> tuple[_Kind, int]:
    """Return what the first byte of a value announces, by the msgpack specification."""
    if first < 0x80 or first >= 0xE0:
        return _Kind.BYTES, 0
    if first < 0x90:
        return _Kind.MAP, first & 0x0F
    if first < 0xA0:
        return _Kind.ARRAY, first & 0x0F
    if first < 0xC0:
        return _Kind.BYTES, first & 0x1F
    return _LATER.get(first, (_Kind.REFUSED, 0))


_LATER: Final = {
    0xC0: (_Kind.BYTES, 0),  # None
    0xC2: (_Kind.BYTES, 0),  # False
    0xC3: (_Kind.BYTES, 0),  # True
    0xC4: (_Kind.COUNTED_BYTES, 1),  # bytes
    0xC5: (_Kind.COUNTED_BYTES, 2),
    0xC6: (_Kind.COUNTED_BYTES, 4),
    0xCA: (_Kind.BYTES, 4),  # float
    0xCB: (_Kind.BYTES, 8),
    0xCC: (_Kind.BYTES, 1),  # number
    0xCD: (_Kind.BYTES, 2),
    0xCE: (_Kind.BYTES, 4),
    0xCF: (_Kind.BYTES, 8),
    0xD0: (_Kind.BYTES, 1),  # signed number
    0xD1: (_Kind.BYTES, 2),
    0xD2: (_Kind.BYTES, 4),
    0xD3: (_Kind.BYTES, 8),
    0xD9: (_Kind.COUNTED_BYTES, 1),  # string, or bytes in the old format
    0xDA: (_Kind.COUNTED_BYTES, 2),
    0xDB: (_Kind.COUNTED_BYTES, 4),
    0xDC: (_Kind.COUNTED_ARRAY, 2),
    0xDD: (_Kind.COUNTED_ARRAY, 4),
    0xDE: (_Kind.COUNTED_MAP, 2),
    0xDF: (_Kind.COUNTED_MAP, 4),
}
_KINDS: Final = tuple(_kind(first) for first in range(256))
_COUNTED: Final = {_Kind.COUNTED_BYTES, _Kind.COUNTED_ARRAY, _Kind.COUNTED_MAP}

# How borg writes the id of a chunk, and how many bytes that takes: lists hold thousands of them.
_ID_HEADER: Final = b"\xda\x00\x20"
_ID_LENGTH: Final = len(_ID_HEADER) + 32


class MessageScanner:
    """Tells where messages end, over chunks that are cut anywhere."""

    def __init__(self, limits: FrameLimits) -> None:
        self._limits = limits
        self._open: list[int] = []  # values still to come, for each array and map that is open
        self._items = 0
        self._skip = 0  # bytes of the current value that are still to come
        self._header = b""  # the start of a header that was cut

    @property
    def between_messages(self) -> bool:
        return not (self._open or self._skip or self._header)

    def skip(self, size: int) -> None:
        """Take the next `size` bytes for the rest of a message, whose head was read elsewhere."""
        self._skip = size

    def next_end(self, data: bytes, position: int = 0) -> int | None:
        """Return where in `data` the message ends that goes on at `position`, None for later.

        What was scanned is not given again: the next call starts at the end that was returned, or
        at the start of the next data. Raises ProtocolError for what is not msgpack or beyond the
        limits.
        """
        size = len(data)
        while position < size:
            if self._skip:
                step = min(self._skip, size - position)
                self._skip -= step
                position += step
                ended = not self._skip and self._value_ended()
            else:
                position = self._skip_ids(data, position)
                position, ended = self._read_header(data, position)
            if ended:
                return position
        return None

    def _read_header(self, data: bytes, position: int) -> tuple[int, bool]:
        """Return where the header ends, and whether the message ended with it."""
        held = len(self._header)
        kind, number = _KINDS[self._header[0] if held else data[position]]
        if kind is _Kind.REFUSED:
            raise ProtocolError("This is not borg's protocol: a value of an unknown type came.")
        wanted = 1 + (number if kind in _COUNTED else 0)
        taken = data[position : position + wanted - held]
        position += len(taken)
        if held + len(taken) < wanted:
            self._header += taken
            return position, False
        if wanted > 1:
            number = int.from_bytes((self._header + taken)[1:], "big")
        self._header = b""
        return position, self._value_started(kind, number)

    def _value_started(self, kind: _Kind, number: int) -> bool:
        """Take note of a value, and tell whether the message ended with it."""
        self._items += 1
        if kind in (_Kind.BYTES, _Kind.COUNTED_BYTES):
            self._skip = number
            return not number and self._value_ended()
        if number > self._limits.length or len(self._open) >= self._limits.depth:
            raise ProtocolError("A message of borg's protocol is nested too deep or too long.")
        if not number:
            return self._value_ended()
        self._open.append(2 * number if kind in (_Kind.MAP, _Kind.COUNTED_MAP) else number)
        return False

    def _value_ended(self) -> bool:
        """Count a value off its container; whether the message ended with it."""
        while self._open:
            self._open[-1] -= 1
            if self._open[-1]:
                if self._items > self._limits.items:
                    raise ProtocolError("A message of borg's protocol holds too many values.")
                return False
            self._open.pop()
        self._items = 0
        return True

    def _skip_ids(self, data: bytes, position: int) -> int:
        """Jump over a row of chunk ids at once, up to one that is the last or cut."""
        if self._header or not self._open or not data.startswith(_ID_HEADER, position):
            return position
        count = min(self._open[-1] - 1, (len(data) - position - 1) // _ID_LENGTH)
        if count < 4:
            return position
        end = position + count * _ID_LENGTH
        for offset, byte in enumerate(_ID_HEADER):
            column = data[position + offset : end : _ID_LENGTH]
            if column.count(byte) != count:
                return position
        self._open[-1] -= count
        self._items += count
        return end


class MessageReader:
    """Collects whole messages, of at most `largest` bytes each, as they came."""

    def __init__(self, limits: FrameLimits, *, largest: int) -> None:
        self._scanner = MessageScanner(limits)
        self._largest = largest
        self._held = bytearray()

    def next_message(self, data: bytes, position: int) -> tuple[bytes | None, int]:
        """Return the message that is complete with `data` from `position` on, and where it ends.

        None and the end of `data` when there is none: what came of it is kept. Raises ProtocolError
        for what is not msgpack or beyond the limits.
        """
        found = self._scanner.next_end(data, position)
        end = len(data) if found is None else found
        if len(self._held) + end - position > self._largest:
            raise ProtocolError("A message of borg's protocol is too long.")
        if found is not None and not self._held:
            return data[position:end], end
        self._held += data[position:end]
        if found is None:
            return None, end
        message = bytes(self._held)
        self._held.clear()
        return message, end

    @property
    def between_messages(self) -> bool:
        return not self._held and self._scanner.between_messages
