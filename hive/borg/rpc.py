"""Requests of borg 1.x clients and answers to them, one message at a time.

A request is a map {i: number, m: method, a: {name: value}}. Only the first one of a connection,
`negotiate`, is an array [1, number, method, [values]], because the client does not know yet whom
it talks to. Strings and bytes are one type on this wire, the old raw type of msgpack.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgpack

from hive.borg.framing import REQUEST_LIMITS, ProtocolError
from hive.sentences import say

# All of what borg puts into requests: None, bool, int, float, raw bytes, and rows of them.
Value = object

_TOO_OLD: Final = say("This client is too old: borg 1.1 or newer is needed.")
_LARGEST_ID: Final = 2**63


@dataclass(frozen=True)
class Call:
    """One request. `positional` is how a client starts: arguments in an array, without names."""

    number: int
    method: str
    arguments: dict[str, Value]
    positional: bool = False

    def encode(self) -> bytes:
        """Return the message, rebuilt: it contains only what was checked."""
        if self.positional:
            return _pack((1, self.number, self.method, list(self.arguments.values())))
        return _pack({b"i": self.number, b"m": self.method, b"a": self.arguments})


class Refusal(StrEnum):
    """borg's class of error, which decides what a client makes of it.

    Clients build PATH_NOT_ALLOWED again and say "Repository path not allowed: MESSAGE". ERROR is
    known to 1.4 ("Error: MESSAGE"); older clients show the message of a class that they do not
    know. Neither shows a traceback, and both end with status 2.
    """

    PATH_NOT_ALLOWED = "PathNotAllowed"
    ERROR = "Error"


def decode_call(message: bytes) -> Call:
    """Return the request that one whole message holds.

    Raises ProtocolError for anything that a client of borg 1.1 to 1.4 does not send.
    """
    try:
        content = msgpack.unpackb(
            message,
            raw=True,
            use_list=False,
            max_array_len=REQUEST_LIMITS.length,
            max_map_len=REQUEST_LIMITS.length,
            max_ext_len=0,
        )
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise ProtocolError("A message of borg's protocol cannot be read.") from error
    if isinstance(content, dict):
        return _named(content)
    if isinstance(content, tuple) and len(content) == 4:
        return _positional(content)
    raise ProtocolError("A message of borg's protocol has the wrong shape.")


def refuse(call: Call, refusal: Refusal, message: str) -> bytes:
    """Return the answer to `call` that makes its client stop and show `message`."""
    return refuse_number(call.number, refusal, message)


def refuse_number(number: int, refusal: Refusal, message: str) -> bytes:
    """Return the same for a call of which the number is known."""
    return _pack(
        {
            b"i": number,
            b"exception_class": refusal.value,
            b"exception_args": [message],
            b"exception_full": [message],
            b"exception_short": [message],
            b"exception_trace": False,
            b"sysinfo": "",
        }
    )


def answer_nothing(call: Call) -> bytes:
    """Return the answer to `call` of a server that did it and has nothing to say."""
    return _pack({b"i": call.number, b"r": None})


def is_error(answer: bytes, number: int) -> bool | None:
    """Tell whether a whole answer of borg serve is an error; None where it answers another call.

    Raises ProtocolError for what borg serve does not send.
    """
    try:
        content = msgpack.unpackb(answer, raw=True, use_list=False, max_ext_len=0)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise ProtocolError("An answer of borg serve cannot be read.") from error
    if not isinstance(content, dict) or content.get(b"i") != number:
        return None
    return b"exception_class" in content


def client_version(call: Call) -> str | None:
    """Return the version that `negotiate` names, as people write it: 1.4.5, 1.4.0rc1."""
    data = call.arguments.get("client_data")
    numbers = data.get(b"client_version") if isinstance(data, dict) else None
    if not isinstance(numbers, tuple) or not 3 <= len(numbers) <= 5:
        return None
    if not all(type(number) is int and -9 < number < 10_000 for number in numbers):
        return None
    stage = {-4: "a", -3: "b", -2: "rc"}.get(numbers[3], "") if len(numbers) > 3 else ""
    step = str(numbers[4]) if stage and len(numbers) == 5 else ""
    return ".".join(str(number) for number in numbers[:3]) + stage + step


def _named(content: dict[object, Value]) -> Call:
    number, method, arguments = (content.get(key) for key in (b"i", b"m", b"a"))
    if not isinstance(arguments, dict):
        raise ProtocolError("A request of borg's protocol has no arguments.")
    named = {_text(name): value for name, value in arguments.items()}
    return Call(number=_number(number), method=_text(method), arguments=named)


def _positional(content: tuple[Value, ...]) -> Call:
    _, number, method, values = content
    if method != b"negotiate" or not isinstance(values, tuple) or len(values) != 1:
        raise ProtocolError(_TOO_OLD)
    if not isinstance(values[0], dict):
        raise ProtocolError(_TOO_OLD)
    arguments: dict[str, Value] = {"client_data": values[0]}
    return Call(number=_number(number), method="negotiate", arguments=arguments, positional=True)


def _number(value: Value) -> int:
    if type(value) is not int or not 0 <= value < _LARGEST_ID:
        raise ProtocolError("A request of borg's protocol has no number.")
    return value


def _text(value: Value) -> str:
    if not isinstance(value, bytes) or not 0 < len(value) <= 100 or not value.isascii():
        raise ProtocolError("A request of borg's protocol has no name.")
    return value.decode("ascii")


def _pack(content: object) -> bytes:
    packed: bytes = msgpack.packb(content, use_bin_type=False)
    return packed
