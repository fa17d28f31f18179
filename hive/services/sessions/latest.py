"""Which session counts as the last of a repository: the one that runs, else the newest.

A look at the status is none.
"""

from __future__ import annotations

from collections.abc import Collection

from hive import sql
from hive.kinds import Need
from hive.models import Repository, Session


async def ids(repository_ids: Collection[int]) -> dict[int, int]:
    """By the repository's id; those that were never used are not in it."""
    return await newest(repository_ids) | await in_use(repository_ids)


async def newest(repository_ids: Collection[int]) -> dict[int, int]:
    """Whether it runs or not."""
    ours = Repository.filter(id__in=sql.ids(repository_ids))
    rows = await ours.annotate(newest=sql.newest_session(but_not=Need.STATUS)).values(
        "id", "newest"
    )
    return {row["id"]: row["newest"] for row in rows if row["newest"] is not None}


async def in_use(repository_ids: Collection[int]) -> dict[int, int]:
    """The sessions that run; a later one may have come and gone while a long one still does."""
    running = Session.filter(ended_at=None, repository_id__in=sql.ids(repository_ids))
    rows = await running.exclude(need=Need.STATUS).order_by("id").values("id", "repository_id")
    return {row["repository_id"]: row["id"] for row in rows}
