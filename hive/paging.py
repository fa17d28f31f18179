"""Reading many rows without keeping the event loop: a page at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TypeVar

from tortoise.queryset import QuerySet

from hive.models.table import Table

Row = TypeVar("Row", bound=Table)

_ROWS = 100  # the ORM takes about 0.2 ms for a row of the widest table


async def in_pages(query: QuerySet[Row], *, rows: int = _ROWS) -> AsyncIterator[list[Row]]:
    """What the query finds, in the order of ids; a row that is added meanwhile may be missing."""
    page = await query.order_by("id").limit(rows)
    while page:
        yield page
        if len(page) < rows:
            return
        page = await query.filter(id__gt=page[-1].pk).order_by("id").limit(rows)
