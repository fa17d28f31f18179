"""The messages of borg 1's protocol, for clients of tests that speak it by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgpack

CLIENT = {b"client_version": (1, 4, 0)}  # what a client negotiates with


class RpcError(Exception):
    """What was answered instead of a result; or, without words, why nothing was."""

    def __init__(self, kind: str, message: str = "") -> None:
        super().__init__(f"{kind}: {message}" if message else kind)
        self.kind = kind
        self.message = message


def unpacker() -> msgpack.Unpacker:
    """Reads answers from the bytes that it is fed with."""
    return msgpack.Unpacker(raw=True, strict_map_key=False, max_buffer_size=2**30)


def request(number: int, method: str, arguments: Mapping[str, object]) -> bytes:
    """A call, as borg writes it."""
    named = {name.encode(): value for name, value in arguments.items()}
    message = {b"i": number, b"m": method.encode(), b"a": named}
    packed: bytes = msgpack.packb(message, use_bin_type=False)
    return packed


def result(answer: Mapping[bytes, Any]) -> Any:
    """What a call returned; RpcError where it failed."""
    kind = answer.get(b"exception_class")
    if kind is None:
        return answer[b"r"]
    lines = [line for line in answer[b"exception_short"] if isinstance(line, bytes)]
    raise RpcError(kind.decode(), b" ".join(lines).decode())
