"""The strips of days of repositories whose history is older than they are: drawn up once."""

from __future__ import annotations

import asyncio

from hive.models import Repository
from hive.paging import in_pages
from hive.services.health import days
from hive.services.sessions import failures

_PAUSE = 0.01  # seconds; others come in between


async def draw_up() -> int:
    """Fill in the days of those that lack them; of how many. What comes in meanwhile stays."""
    count = 0
    async for rows in in_pages(Repository.filter(days_known=False).only("id")):
        for row in rows:
            await days.draw_up(row.id)
            await failures.draw_up(row.id)
            await asyncio.sleep(_PAUSE)
        count += len(rows)
    return count
