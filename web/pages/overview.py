"""All repositories that one may see: how they are, what wants attention, how they grow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from aiohttp import web

from hive import clock
from hive.services import attention, disks, overview
from hive.services.overview import Condition, Glance
from web import charts
from web.access import actor_of
from web.forms import one_of, query
from web.i18n import N_
from web.rendering import page, tab_icon

_MAX_TEXT = 100
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Order(StrEnum):
    WORST = "worst"
    NAME = "name"
    BACKUP = "backup"
    SIZE = "size"
    GROWTH = "growth"


# What the orders are called; the worst first is how the service gives them.
ORDERS = {
    Order.WORST: N_("the worst first"),
    Order.NAME: N_("by name"),
    Order.BACKUP: N_("longest without a backup"),
    Order.SIZE: N_("the largest first"),
    Order.GROWTH: N_("grown most this week"),
}
_KEYS: dict[Order, Callable[[Glance], tuple[float | str, ...]]] = {
    Order.NAME: lambda one: (one.name.lower(), one.owner.lower()),
    Order.BACKUP: lambda one: ((one.last_backup_at or _LONG_AGO).timestamp(),),
    Order.SIZE: lambda one: (-(one.size_bytes or 0),),
    Order.GROWTH: lambda one: (-(one.week_change or 0),),
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

    def fits(self, one: Glance) -> bool:
        words = " ".join((one.name, one.owner, one.login, *one.health.tags)).lower()
        return self.text.lower() in words and (not self.tag or self.tag in one.health.tags)

    def applied(self, found: Sequence[Glance]) -> list[Glance]:
        shown = [one for one in found if self.fits(one)]
        return sorted(shown, key=_KEYS[self.order]) if self.order in _KEYS else shown

    def with_tag(self, tag: str) -> str:
        order = "" if self.order == Order.WORST else self.order
        return query("/", q=self.text, tag=tag, sort=order)


async def show(request: web.Request) -> web.Response:
    actor = actor_of(request)
    wish = Wish(
        text=request.query.get("q", "").strip()[:_MAX_TEXT],
        tag=request.query.get("tag", "").strip()[:_MAX_TEXT].lower(),
        order=one_of(request, "sort", Order) or Order.WORST,
    )
    found = await overview.glances(actor)
    counts = Counter(one.condition for one in found)
    now, wanting = clock.now(), await attention.list_attention(actor, found)
    return page(
        request,
        "overview.html",
        icon=tab_icon(is_bad=bool(wanting), is_live=any(one.is_running for one in found)),
        any_repository=bool(found),
        repositories=[(one, charts.sparkline(one.trend, now)) for one in wish.applied(found)],
        counts=[(condition, counts[condition]) for condition in Condition if counts[condition]],
        attention=wanting,
        disks=await disks.disks({one.location_id for one in found}),
        total_bytes=sum(one.size_bytes or 0 for one in found),
        tags=Counter(tag for one in found for tag in one.health.tags),
        wish=wish,
        orders=ORDERS,
    )
