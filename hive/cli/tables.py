"""Tables that fit the terminal. Pure: what is printed, and how wide that may be, is given.

Off a terminal, and with --wide, every column is there and nothing is cut.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

GAP = 2  # blanks between two columns
_LEAST = 8  # letters of a column that is cut
_MARK = "…"
_MARKS = ("bright_red", "yellow", "green", "bright_black")  # of each line of words
_COLOURED = ("STATE", "SEVERITY", "VERDICT", "STORAGE", "RULE")
_WORDS = (
    ("critical", "down", "failed", "dead", "unavailable", "banned", "given up", "mismatch"),
    ("late", "warning", "unknown", "failing", "stale", "waiting", "pending"),
    ("fine", "ready", "ok", "sent", "succeeded", "works", "match", "success"),
    ("paused", "not watched", "new", "disabled", "off"),
)
_COLOURS = {word: colour for words, colour in zip(_WORDS, _MARKS, strict=True) for word in words}


def colour_of(column: str, cell: str) -> str | None:
    """The colour of a cell that says how something is."""
    return _COLOURS.get(cell.lower()) if column in _COLOURED else None


def key_of(name: str) -> str:
    """What --columns calls a column: 'last-backup' for 'LAST BACKUP'."""
    return name.lower().replace(" ", "-")


def chosen(heads: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The columns that are named, in the order of their names; KeyError for one there is not."""
    known = {key_of(head): head for head in heads}
    return [known[key_of(name)] for name in wanted]


def fitting(widths: Mapping[str, int], details: Collection[str], limit: int) -> list[str]:
    """The columns that are shown in `limit` letters: details come in while there is room."""
    shown = [head for head in widths if head not in details]
    room = limit - sum(widths[head] + GAP for head in shown) + GAP
    for head in details:
        if head in widths and widths[head] + GAP <= room:
            room -= widths[head] + GAP
            shown.append(head)
    return [head for head in widths if head in shown]


def narrowed(widths: Sequence[int], limit: int) -> list[int]:
    """The widths, the widest taken down until all fit; none below what can still be read."""
    found = list(widths)
    excess = sum(found) + GAP * (len(found) - 1) - limit
    while excess > 0 and max(found) > _LEAST:
        widest = max(found)
        place = len(found) - 1 - found[::-1].index(widest)
        others = max((one for one in found if one < widest), default=_LEAST)
        step = min(excess, widest - max(others, _LEAST)) if found.count(widest) == 1 else 1
        found[place] -= step
        excess -= step
    return found


def cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else cell[: width - 1] + _MARK
