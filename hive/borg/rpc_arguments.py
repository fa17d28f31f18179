"""The arguments that clients of borg 1.1 to 1.4 send with each method, and what each may be. Pure.

Others are left out, as borg serve does itself. One of another type ends in an error in the middle
of what borg serve does, with a transaction open that the next call would build on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hive.borg.key_data import is_key_data
from hive.borg.rpc import Call

Check = Callable[[object], bool]

MOST_LISTED: Final = 1_000_000  # ids in one answer; borg asks for 100,000
_LARGEST: Final = 2**64


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _identifier(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == 32


def _bytes(value: object) -> bool:
    return isinstance(value, bytes)


def _natural(value: object) -> bool:
    return type(value) is int and 0 <= value < _LARGEST


def _share(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value <= 100  # type: ignore[operator]


def _seconds(value: object) -> bool:
    return type(value) in (int, float) and -1 <= value < _LARGEST  # type: ignore[operator]


def _count(value: object) -> bool:
    return type(value) is int and 0 < value <= MOST_LISTED


def _or_nothing(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _map(value: object) -> bool:
    return isinstance(value, dict)


_LIST: Final[Mapping[str, Check]] = {
    "limit": _or_nothing(_count),
    "marker": _or_nothing(_identifier),
}
ARGUMENTS: Final[Mapping[str, Mapping[str, Check]]] = {
    "negotiate": {"client_data": _map},
    "open": {
        "path": _bytes,
        "create": _flag,
        "lock_wait": _or_nothing(_seconds),
        "lock": _flag,
        "exclusive": _flag,
        "append_only": _flag,
        "make_parent_dirs": _flag,
    },
    "get": {"id": _identifier},
    "put": {"id": _identifier, "data": _bytes, "wait": _flag},
    "delete": {"id": _identifier, "wait": _flag},
    "list": _LIST,
    "scan": _LIST,
    "check": {"repair": _flag, "save_space": _flag, "max_duration": _natural},
    "commit": {
        "save_space": _flag,
        "compact": _flag,
        "threshold": _share,
        "cleanup_commits": _flag,
    },
    "save_key": {"keydata": is_key_data},
    "commit_nonce_reservation": {"next_unreserved": _natural, "start_nonce": _or_nothing(_natural)},
}
_REQUIRED: Final[Mapping[str, frozenset[str]]] = {
    "get": frozenset({"id"}),
    "put": frozenset({"id", "data"}),
    "delete": frozenset({"id"}),
    "save_key": frozenset({"keydata"}),
    "commit_nonce_reservation": frozenset({"next_unreserved", "start_nonce"}),
}


def unknown_argument(call: Call) -> str | None:
    """Return the first argument that is missing, or that no client sends so; None if all is well.

    Expects a call whose arguments are known by name.
    """
    known = ARGUMENTS.get(call.method, {})
    for name, value in call.arguments.items():
        if not known[name](value):
            return name
    missing = _REQUIRED.get(call.method, frozenset()) - call.arguments.keys()
    return min(missing) if missing else None
