"""What the first page shows, asked for with one call: filtered, ordered and cut to one page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hive.services.health.states import COUNTED, Condition
from hive.services.notifications import reach
from hive.services.notifications.reach import Worries
from hive.services.overview import attention, rows, summaries
from hive.services.overview.attention import Attention
from hive.services.overview.filters import RepositoryFilter
from hive.services.overview.rows import Row
from hive.services.overview.summaries import Order, Summary
from hive.services.permissions import Actor
from hive.services.storage import disks
from hive.services.storage.disks import DiskInfo

ROWS = 50  # of a page
_MAX_ATTENTION = 20


@dataclass(frozen=True, kw_only=True)
class DashboardQuery:
    """Which repositories to list.

    text   what their name, owner, login or a tag contains, in any case
    tag    a tag that they have
    after  the last repository of the page before; one that is not in the list any more leads to
           its beginning
    """

    text: str = ""
    tag: str = ""
    order: Order = Order.WORST
    after: int | None = None

    def fits(self, one: Summary) -> bool:
        tags = (self.tag,) if self.tag else ()
        return RepositoryFilter(text=self.text, tags=tags).fits(one)


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """All repositories that the actor may see, in figures, and one page of them in detail.

    repositories     the rows of this page
    next_after       the `after` of the next page; None on the last one
    fitting          how many repositories the query fits
    total            how many there are
    counts           how many are in each condition, the worst first; none that is empty
    attention        the first of what needs attention; `attention_count` counts all of it
    tags             how many repositories have each tag
    is_any_in_use    whether a session runs on any of them
    """

    repositories: Sequence[Row]
    next_after: int | None
    fitting: int
    total: int
    counts: Sequence[tuple[Condition, int]]
    attention: Sequence[Attention]
    attention_count: int
    worries: Worries
    disks: Sequence[DiskInfo]
    total_bytes: int
    tags: Mapping[str, int]
    is_any_in_use: bool


async def dashboard(actor: Actor, query: DashboardQuery) -> Dashboard:
    """In a constant number of queries, however many repositories there are."""
    found = await summaries.summaries(actor, query.order)
    fitting = [one for one in found if query.fits(one)]
    shown, next_after = _cut(fitting, query.after)
    conditions = Counter(one.condition for one in found)
    wanting = await attention.list_attention(actor, found)
    return Dashboard(
        repositories=await rows.rows_of(actor, [one.id for one in shown]),
        next_after=next_after,
        fitting=len(fitting),
        total=len(found),
        counts=[(one, conditions[one]) for one in COUNTED if conditions[one]],
        attention=wanting[:_MAX_ATTENTION],
        attention_count=len(wanting),
        worries=await reach.worries(actor),
        disks=await disks.disks({one.location_id for one in found}),
        total_bytes=sum(one.size_bytes or 0 for one in found),
        tags=Counter(tag for one in found for tag in one.tags),
        is_any_in_use=any(one.is_in_use for one in found),
    )


def _cut(fitting: Sequence[Summary], after: int | None) -> tuple[Sequence[Summary], int | None]:
    """The rows of one page, and the cursor to those that follow: the last of its repositories."""
    begin = next((place for place, one in enumerate(fitting, 1) if one.id == after), 0)
    shown = fitting[begin : begin + ROWS]
    return shown, shown[-1].id if begin + ROWS < len(fitting) else None
