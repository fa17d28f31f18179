"""Messages of borg 1 that come by the million, recognised by their first bytes.

put, get, delete and the answers to them are packed in one way only: the head gives method, id and
size, so that the payload can be skipped. A message packed in another way has to be decoded.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from hive.borg.framing import ProtocolError

# What has to be there to tell a call that is skipped from one that is decoded: its longest start.
LONGEST_HEAD: Final = 80

_NUMBER: Final = rb"([\x00-\x7f]|\xcc.|\xcd..|\xce.{4}|\xcf.{8})"
_BYTES: Final = rb"(?:([\xa0-\xbf])|\xda(..)|\xdb(.{4}))"
_ID: Final = rb"\xa2id\xda\x00\x20(.{32})"
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
_PUT_END_LENGTH: Final = 6
_ANSWER: Final = re.compile(
    rb"\x82\xa1i" + _NUMBER + rb"\xa1r(?:(\xc0)|" + _BYTES + rb")", re.DOTALL
)
_LIST: Final = re.compile(rb"\x82\xa1i" + _NUMBER + rb"\xa1r[\x90-\x9f\xdc\xdd]", re.DOTALL)


class BulkCall(NamedTuple):
    """`size` is of the payload that follows the head, in bytes; only a put has one."""

    method: str
    packed_number: bytes
    identifier: bytes
    size: int
    is_followed_by_wait: bool  # one more argument stands behind the payload
    end: int  # where the head ends

    @property
    def number(self) -> int:
        return _integer(self.packed_number)


def read_bulk_call(data: bytes, position: int) -> BulkCall | None:
    """Return the bulk call whose head is whole at `position`, None where there is none."""
    found = _CALL.match(data, position)
    if found is None:
        return None
    number, names, put, short, medium, long, get, *deletes = found.groups()
    if put is not None:
        size = _length(short, medium or long)
        return BulkCall("put", number, put, size, names == _WITH_WAIT, found.end())
    if get is not None:
        return BulkCall("get", number, get, 0, False, found.end())
    return BulkCall("delete", number, deletes[0] or deletes[1], 0, False, found.end())


def put_end(data: bytes, position: int) -> int | None:
    """Return where the argument behind a payload ends, None where more has to come.

    Raises ProtocolError for an argument that borg does not send: it could be a second id.
    """
    ended = _PUT_END.match(data, position)
    if ended is not None:
        return ended.end()
    if len(data) - position >= _PUT_END_LENGTH:
        raise ProtocolError("A put has an argument that borg does not send.")
    return None


class Answer(NamedTuple):
    """An answer that holds bytes or nothing; `size` is of the payload that follows the head."""

    packed_number: bytes
    is_nothing: bool
    size: int
    end: int  # where the head ends

    @property
    def number(self) -> int:
        return _integer(self.packed_number)


def read_answer(data: bytes, position: int) -> Answer | None:
    """Return the answer whose head is whole at `position`, None where there is none."""
    found = _ANSWER.match(data, position)
    if found is None:
        return None
    number, nothing, short, medium, long = found.groups()
    size = 0 if nothing is not None else _length(short, medium or long)
    return Answer(number, nothing is not None, size, found.end())


def list_number(data: bytes, position: int) -> int | None:
    """Return the number of the answer at `position` where that is a list, else None."""
    found = _LIST.match(data, position)
    return None if found is None else _integer(found[1])


def _length(short: bytes | None, counted: bytes | None) -> int:
    return (
        int.from_bytes(counted, "big") if short is None and counted else (short or b"\xa0")[0] & 31
    )


def _integer(packed: bytes) -> int:
    return packed[0] if len(packed) == 1 else int.from_bytes(packed[1:], "big")
