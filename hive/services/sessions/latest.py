"""Which session counts as the last of a repository: the one that runs, else the newest.

A look at the status is none.
"""

from __future__ import annotations

from collections.abc import Collection

from tortoise.expressions import RawSQL

from hive.kinds import Need
from hive.models import Repository, Session

# A step in an index for each repository, however long its history is; grouping reads all of it.
_NEWEST = RawSQL(
    '(SELECT "id" FROM "session" WHERE "repository_id" = "repository"."id"'
    ' AND "need" <> \'status\' ORDER BY "started_at" DESC, "id" DESC LIMIT 1)'
)


async def ids(repository_ids: Collection[int]) -> dict[int, int]:
    """By the repository's id; those that were never used are not in it."""
    return await newest(repository_ids) | await in_use(repository_ids)


async def newest(repository_ids: Collection[int]) -> dict[int, int]:
    """Whether it runs or not."""
    ours = Repository.filter(id__in=list(repository_ids))
    rows = await ours.annotate(newest=_NEWEST).values("id", "newest")
    return {row["id"]: row["newest"] for row in rows if row["newest"] is not None}


async def in_use(repository_ids: Collection[int]) -> dict[int, int]:
    """The sessions that run; a later one may have come and gone while a long one still does."""
    running = Session.filter(ended_at=None, repository_id__in=list(repository_ids))
    rows = await running.exclude(need=Need.STATUS).order_by("id").values("id", "repository_id")
    return {row["repository_id"]: row["id"] for row in rows}
