"""Puts answers of our own between those of borg serve."""

from __future__ import annotations

from typing import Final, Protocol

from hive.borg.framing import RESPONSE_LIMITS, MessageReader, MessageScanner, ProtocolError
from hive.borg.heads import read_answer

_MOST_WAITING: Final = 1024 * 1024
_LARGEST_FIRST_ANSWER: Final = 1024 * 1024


class AnswerWatcher(Protocol):
    """Wants to see the first answers of a connection."""

    @property
    def wants_answers(self) -> bool: ...
    def answered(self, message: bytes) -> None:
        """Take one whole answer."""


class ResponseFramer:
    """Puts replies of our own between two whole messages of the server.

    What both methods return goes to the client in the order in which they were called.
    """

    def __init__(self, watcher: AnswerWatcher) -> None:
        self._watcher = watcher
        self._first = MessageReader(RESPONSE_LIMITS, largest=_LARGEST_FIRST_ANSWER)
        self._scanner = MessageScanner(RESPONSE_LIMITS)
        self._waiting: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """Return what goes to the client now: `data` itself, and replies where they fit."""
        first: int | None = None
        position: int | None = 0
        while position is not None and position < len(data):
            position = self._next_end(data, position)
            first = position if first is None else first
        if first is None or not self._waiting:
            return [data]
        replies, self._waiting = self._waiting, []
        return [data[:first], *replies, *([data[first:]] if first < len(data) else [])]

    def _next_end(self, data: bytes, position: int) -> int | None:
        if not self._first.between_messages or (
            self._watcher.wants_answers and self._scanner.between_messages
        ):
            message, end = self._first.next_message(data, position)
            if message is None:
                return None
            self._watcher.answered(message)
            return end
        if self._scanner.between_messages and (head := read_answer(data, position)) is not None:
            if head.end + head.size <= len(data):
                return head.end + head.size
            self._scanner.skip(head.end + head.size - len(data))
            return None
        return self._scanner.next_end(data, position)

    def insert(self, replies: list[bytes]) -> list[bytes]:
        """Return what of `replies` goes to the client now; the rest follows the server's message.

        Raises ProtocolError when too much waits.
        """
        if self._first.between_messages and self._scanner.between_messages:
            return replies
        self._waiting += replies
        if sum(map(len, self._waiting)) > _MOST_WAITING:
            raise ProtocolError("Too many requests were refused while an answer was on its way.")
        return []
