"""What this process remembers from its start to its stop, in one object.

Whatever has something to remember declares a class for it and asks here for the one object of
that class, which is created when it is first asked for. Services that start get an empty memory,
and stopping drops it as a whole, so that nothing of one run reaches the next. Before the start
and after the stop nothing is remembered: each question is answered with a fresh object.

A module that keeps state in a variable instead fails tests/hive/test_module_state.py.
"""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")


class Memory:
    """One object of each class that was asked for."""

    def __init__(self) -> None:
        self._kept: dict[type[Any], Any] = {}

    def of(self, kind: type[T]) -> T:
        """The one object of this class; threads may ask as well."""
        kept: T | None = self._kept.get(kind)
        if kept is None:
            kept = self._kept.setdefault(kind, kind())  # one step: all threads get the same
        return kept


_memory: Memory | None = None


def begin() -> None:
    """Start with an empty memory; hive.services.runtime.start calls it."""
    global _memory  # noqa: PLW0603 - the one variable that all others were replaced by
    _memory = Memory()


def end() -> None:
    """Drop the memory; hive.services.runtime.stop calls it."""
    global _memory  # noqa: PLW0603 - see begin
    _memory = None


def of(kind: type[T]) -> T:
    """The one object of this class that the running services have."""
    return (_memory or Memory()).of(kind)
