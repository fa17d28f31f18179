"""The beginning and the end of a text too long to keep: bytes in between are counted only."""

from __future__ import annotations


class Excerpt:
    """Takes bytes as they come, and keeps at most `head` of the first and `tail` of the last.

    `whole_lines`: where something is left out, no half line is kept beside the gap; it could hold
    half a secret, which nobody would know to hide.
    """

    def __init__(self, head: int, tail: int, *, whole_lines: bool = False) -> None:
        self.size = 0
        self._room = head
        self._most = tail
        self._whole_lines = whole_lines
        self._head = bytearray()
        self._tail = bytearray()

    def add(self, data: bytes) -> None:
        self.size += len(data)
        room = self._room - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * self._most:  # seldom: each time, all of the tail is moved
            del self._tail[: len(self._tail) - self._most]

    @property
    def is_cut(self) -> bool:
        return self.size > len(self._head) + self._most

    @property
    def text(self) -> str:
        """Both parts, with a line between them that says how much was left out."""
        if not self.is_cut:
            return (self._head + self._tail).decode(errors="replace")
        head, tail = bytes(self._head), bytes(self._tail[len(self._tail) - self._most :])
        if self._whole_lines:
            head = head[: head.rfind(b"\n") + 1]
            tail = tail[tail.find(b"\n") + 1 :] if b"\n" in tail else b""
        left_out = self.size - len(head) - len(tail)
        begin = "" if not head or head.endswith(b"\n") else "\n"
        middle = f"{begin}... {left_out} bytes were left out ...\n".encode()
        return (head + middle + tail).decode(errors="replace")
