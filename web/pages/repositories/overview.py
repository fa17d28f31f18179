"""All repositories that one may see: how they are, what wants attention, how they grow."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from hive import clock
from hive.sentences import N_
from hive.services.overview.dashboard import DashboardQuery, dashboard
from hive.services.overview.summaries import Order
from web import charts
from web.access import actor_of
from web.forms import number, one_of, query
from web.rendering import page, tab_icon

_MAX_TEXT = 100

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

    def with_tag(self, tag: str) -> str:
        return query("/", q=self.text, tag=tag, sort=self._sort)

    def page_after(self, repository_id: int | None) -> str:
        return query("/", q=self.text, tag=self.tag, sort=self._sort, after=repository_id)

    @property
    def _sort(self) -> str:
        return "" if self.order == Order.WORST else self.order


async def show(request: web.Request) -> web.Response:
    wish = Wish(
        text=request.query.get("q", "").strip()[:_MAX_TEXT],
        tag=request.query.get("tag", "").strip()[:_MAX_TEXT].lower(),
        order=one_of(request, "sort", Order) or Order.WORST,
    )
    after = number(request, "after", N_("This is not a valid place in the list."))
    asked = DashboardQuery(text=wish.text, tag=wish.tag, order=wish.order, after=after)
    found = await dashboard(actor_of(request), asked)
    now = clock.now()
    return page(
        request,
        "repositories/overview.html",
        icon=tab_icon(
            is_bad=bool(found.attention) or bool(found.worries.failing),
            is_live=found.is_any_in_use,
        ),
        any_repository=bool(found.total),
        repositories=[(one, charts.sparkline(one.trend, now)) for one in found.repositories],
        fitting=found.fitting,
        first_page=wish.page_after(None) if after is not None else None,
        next_page=wish.page_after(found.next_after) if found.next_after is not None else None,
        counts=found.counts,
        worries=found.worries,
        attention=found.attention,
        attention_count=found.attention_count,
        disks=found.disks,
        total_bytes=found.total_bytes,
        tags=found.tags,
        wish=wish,
        orders=ORDERS,
    )
