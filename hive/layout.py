"""The parts of a message: paragraphs, facts, lists and tables, as text and as what a row keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Translate = Callable[[str], str]


@dataclass(frozen=True)
class Paragraph:
    lines: tuple[str, ...]

    def read_by(self, translate: Translate) -> Paragraph:
        return Paragraph(tuple(map(translate, self.lines)))

    def as_lines(self) -> list[str]:
        return list(self.lines)

    def as_json(self) -> dict[str, Any]:
        return {"lines": list(self.lines)}


@dataclass(frozen=True)
class Facts:
    """Names and values, one a line."""

    pairs: tuple[tuple[str, str], ...]

    def read_by(self, translate: Translate) -> Facts:
        return Facts(tuple((translate(name), translate(value)) for name, value in self.pairs))

    def as_lines(self) -> list[str]:
        return [f"{name}: {value}" for name, value in self.pairs]

    def as_json(self) -> dict[str, Any]:
        return {"facts": [list(pair) for pair in self.pairs]}


@dataclass(frozen=True)
class Listing:
    items: tuple[str, ...]

    def read_by(self, translate: Translate) -> Listing:
        return Listing(tuple(map(translate, self.items)))

    def as_lines(self) -> list[str]:
        return [f"- {item}" for item in self.items]

    def as_json(self) -> dict[str, Any]:
        return {"items": list(self.items)}


@dataclass(frozen=True)
class Row:
    """One row of a table; `line` says the same where there are no tables, `tone` how bad it is."""

    cells: tuple[str, ...]
    line: str
    tone: str = ""  # "bad", "wait" or "good"

    def read_by(self, translate: Translate) -> Row:
        return Row(tuple(map(translate, self.cells)), translate(self.line), self.tone)


@dataclass(frozen=True)
class Sheet:
    """A table with a head."""

    title: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]

    def read_by(self, translate: Translate) -> Sheet:
        rows = tuple(row.read_by(translate) for row in self.rows)
        return Sheet(translate(self.title), tuple(map(translate, self.head)), rows)

    def as_lines(self) -> list[str]:
        return [*([f"{self.title}:"] if self.title else []), *(row.line for row in self.rows)]

    def as_json(self) -> dict[str, Any]:
        rows = [{"cells": list(row.cells), "tone": row.tone} for row in self.rows]
        return {"title": self.title, "head": list(self.head), "rows": rows}


Block = Paragraph | Facts | Listing | Sheet
Layout = tuple[Block, ...]


def read_by(blocks: Iterable[Block], translate: Translate) -> Layout:
    """The same in the words of a reader."""
    return tuple(block.read_by(translate) for block in blocks)


def as_lines(blocks: Iterable[Block]) -> list[str]:
    """Everything as text, with an empty line between two parts."""
    found: list[str] = []
    for block in blocks:
        lines = block.as_lines()
        if lines:
            found += ["", *lines] if found else lines
    return found


def store(blocks: Iterable[Block]) -> dict[str, Any]:
    return {"blocks": [block.as_json() for block in blocks]}


def load(stored: Mapping[str, Any] | None) -> Layout:
    """What was stored; nothing of what cannot be read, such as that of a later version."""
    if stored is None:
        return ()
    blocks = (_block(one) for one in stored.get("blocks", ()))
    return tuple(block for block in blocks if block is not None)


def _block(stored: Mapping[str, Any]) -> Block | None:
    match stored:
        case {"lines": list(lines)}:
            return Paragraph(_texts(lines))
        case {"facts": list(pairs)}:
            return Facts(tuple((str(name), str(value)) for name, value in pairs))
        case {"items": list(items)}:
            return Listing(_texts(items))
        case {"title": str(title), "head": list(head), "rows": list(rows)}:
            return Sheet(title, _texts(head), tuple(map(_row, rows)))
    return None


def _row(stored: Mapping[str, Any]) -> Row:
    return Row(_texts(stored["cells"]), "", str(stored["tone"]))


def _texts(values: Sequence[object]) -> tuple[str, ...]:
    return tuple(map(str, values))
