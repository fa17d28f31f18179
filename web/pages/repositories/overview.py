"""All repositories that one may see: how they are, what wants attention, how they grow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from hive import clock
from hive.services.health.states import COUNTED
from hive.services.notifications import reach
from hive.services.overview import attention, rows, summaries
from hive.services.overview.summaries import Order, Summary
from hive.services.storage import disks
from web import charts
from web.access import actor_of
from web.forms import number, one_of, query
from web.rendering import page, tab_icon
from web.text.i18n import N_

_MAX_TEXT = 100
ROWS = 50  # of a page
_MAX_ATTENTION = 20


# What the orders are called; the worst first is how the service gives them.
ORDERS = {
    Order.WORST: N_("the worst first"),
    Order.NAME: N_("by name"),
    Order.BACKUP: N_("longest without a backup"),
    Order.SIZE: N_("the largest first"),
    Order.GROWTH: N_("grown most this week"),
}


@dataclass(frozen=True)
class Wish:
    """What of the list is to be shown, as the address says."""

    text: str
    tag: str
    order: Order

    @property
    def is_filter(self) -> bool:
        return bool(self.text or self.tag)

    def fits(self, one: Summary) -> bool:
        words = " ".join((one.name, one.owner, one.login, *one.tags)).lower()
        return self.text.lower() in words and (not self.tag or self.tag in one.tags)

    def with_tag(self, tag: str) -> str:
        return query("/", q=self.text, tag=tag, sort=self._sort)

    def page_after(self, repository_id: int | None) -> str:
        return query("/", q=self.text, tag=self.tag, sort=self._sort, after=repository_id)

    @property
    def _sort(self) -> str:
        return "" if self.order == Order.WORST else self.order


def _cut(fitting: Sequence[Summary], after: int | None) -> tuple[Sequence[Summary], int | None]:
    """The rows of one page, and the cursor to those that follow: the last of its repositories.

    A cursor whose repository is not in the list any more leads to its beginning.
    """
    begin = next((place for place, one in enumerate(fitting, 1) if one.id == after), 0)
    shown = fitting[begin : begin + ROWS]
    return shown, shown[-1].id if begin + ROWS < len(fitting) else None


async def show(request: web.Request) -> web.Response:
    actor = actor_of(request)
    wish = Wish(
        text=request.query.get("q", "").strip()[:_MAX_TEXT],
        tag=request.query.get("tag", "").strip()[:_MAX_TEXT].lower(),
        order=one_of(request, "sort", Order) or Order.WORST,
    )
    after = number(request, "after", N_("This is no place in the list."))
    found = await summaries.summaries(actor, wish.order)
    fitting = [one for one in found if wish.fits(one)]
    shown, following = _cut(fitting, after)
    counts = Counter(one.condition for one in found)
    now, wanting = clock.now(), await attention.list_attention(actor, found)
    worries = await reach.worries(actor)
    return page(
        request,
        "repositories/overview.html",
        icon=tab_icon(
            is_bad=bool(wanting) or bool(worries.failing),
            is_live=any(one.is_in_use for one in found),
        ),
        any_repository=bool(found),
        repositories=[
            (one, charts.sparkline(one.trend, now))
            for one in await rows.rows_of(actor, [one.id for one in shown])
        ],
        fitting=len(fitting),
        first_page=wish.page_after(None) if after is not None else None,
        next_page=wish.page_after(following) if following is not None else None,
        counts=[(condition, counts[condition]) for condition in COUNTED if counts[condition]],
        worries=worries,
        attention=wanting[:_MAX_ATTENTION],
        attention_count=len(wanting),
        disks=await disks.disks({one.location_id for one in found}),
        total_bytes=sum(one.size_bytes or 0 for one in found),
        tags=Counter(tag for one in found for tag in one.tags),
        wish=wish,
        orders=ORDERS,
    )
