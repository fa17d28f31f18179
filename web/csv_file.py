"""Tables as CSV, for spreadsheets and scripts: the same rows as on the page, all pages of them.

Names of columns are those of `--json` and stay English; times are in UTC. What somebody else has
chosen cannot become a formula: spreadsheets run text that begins with certain characters.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from aiohttp import web

from hive import clock
from hive.log_text import escape
from web.forms import HasId, one_of, query

MAX_ROWS = 100_000
PAGE = 500  # rows that are read at once
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_TOO_LONG = 5_000  # characters of one cell

Row = TypeVar("Row")
Numbered = TypeVar("Numbered", bound=HasId)


class Format(StrEnum):
    """What a table can be asked for as; without one it is a page."""

    CSV = "csv"


@dataclass(frozen=True)
class Table(Generic[Row]):
    """The columns of a table, in their order; `name` is the file's."""

    name: str
    columns: Mapping[str, Callable[[Row], object]]


def is_wanted(request: web.Request) -> bool:
    """Whether the table is asked for as CSV."""
    return one_of(request, "format", Format) is not None


def address(request: web.Request) -> str:
    """Where the table of this page is to be had, with the filters of the page."""
    filters = {name: value for name, value in request.query.items() if name not in _OF_PAGES}
    if request.path == "/":
        return query("/repositories.csv", **filters)
    return query(request.path, **filters, format="csv")


_OF_PAGES = ("before", "after", "page", "format")


async def pages(
    fetch: Callable[[int | None], Awaitable[Sequence[Numbered]]],
) -> AsyncIterator[Sequence[Numbered]]:
    """All pages of a list that goes on below the last id; `fetch` returns up to PAGE rows."""
    cursor: int | None = None
    while rows := await fetch(cursor):
        yield rows
        if len(rows) < PAGE:
            return
        cursor = rows[-1].id


async def filled(rows: AsyncIterator[Sequence[Row]]) -> AsyncIterator[Sequence[Row]]:
    """The pages that are not empty."""
    async for page in rows:
        if page:
            yield page


async def at_once(rows: Sequence[Row]) -> AsyncIterator[Sequence[Row]]:
    """A list that is short enough to be read as a whole."""
    yield rows


async def answer(
    request: web.Request, table: Table[Row], rows: AsyncIterator[Sequence[Row]]
) -> web.StreamResponse:
    """Send the table, page after page; the first MAX_ROWS rows, and a line that says so."""
    response = web.StreamResponse()
    response.headers["Content-Type"] = "text/csv; charset=utf-8; header=present"
    day = clock.now().date().isoformat()
    response.headers["Content-Disposition"] = f'attachment; filename="{table.name}-{day}.csv"'
    head = _lines([list(table.columns)])
    sent = 0
    async for found in rows:
        if not response.prepared:  # what is refused is refused before anything is sent
            await response.prepare(request)
            await response.write(head)
        fitting = found[: MAX_ROWS - sent]
        cells = [[_cell(read(row)) for read in table.columns.values()] for row in fitting]
        await response.write(_lines(cells))
        sent += len(fitting)
        if len(fitting) < len(found):
            await response.write(_lines([[f"only the first {MAX_ROWS} rows are here"]]))
            break
    if not response.prepared:
        await response.prepare(request)
        await response.write(head)
    await response.write_eof()
    return response


def _lines(cells: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(cells)
    return text.getvalue().encode()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, datetime):
        return clock.rfc3339(value)
    if isinstance(value, tuple | list):
        value = " ".join(map(str, value))
    return _guarded(str(value))


def _guarded(text: str) -> str:
    """Foreign text: no control characters, not without end, and no formula."""
    shown = escape(text[:_TOO_LONG])
    return f"'{shown}" if text.startswith(_FORMULA) or shown.startswith(_FORMULA) else shown
