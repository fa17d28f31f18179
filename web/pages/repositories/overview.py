"""All repositories that one may see: how they are, what wants attention, how they grow."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aiohttp import web

from hive.sentences import N_
from hive.services.health.states import COUNTED, Condition
from hive.services.overview.dashboard import DashboardQuery, dashboard
from hive.services.overview.listing import Group, Order
from web import charts
from web.access import actor_of
from web.cookies import DENSITY, choice, keep_choice
from web.forms import number, one_of, query
from web.rendering import page, tab_icon
from web.text.i18n import reader

_MAX_TEXT = 100
DENSITIES = ("normal", "compact")

# What the orders are called; the worst first is how the service gives them.
ORDERS = {
    Order.WORST: N_("the worst first"),
    Order.NAME: N_("by name"),
    Order.BACKUP: N_("longest without a backup"),
    Order.DUE: N_("what is expected soonest"),
    Order.SIZE: N_("the largest first"),
    Order.GROWTH: N_("grown most this week"),
}
_DESCENDING = (Order.SIZE, Order.GROWTH)
GROUPS = {
    Group.NONE: N_("none"),
    Group.OWNER: N_("owner"),
    Group.TAG: N_("tag"),
    Group.LOCATION: N_("location"),
}


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What of the list is to be shown, as the address says."""

    text: str = ""
    tag: str = ""
    state: Condition | None = None
    order: Order = Order.WORST
    is_reversed: bool = False
    group: Group = Group.NONE
    all_attention: bool = False

    @property
    def is_filter(self) -> bool:
        return bool(self.text or self.tag or self.state)

    @property
    def path(self) -> str:
        return self.after(None)

    def after(self, repository_id: int | None) -> str:
        """The page that follows a repository."""
        return query("/", **self.values, after=repository_id)

    @property
    def values(self) -> dict[str, str]:
        """What the address says, by name; what goes without saying is empty."""
        sort = "" if self.order == Order.WORST and not self.is_reversed else self.order
        return {
            "q": self.text,
            "tag": self.tag,
            "state": self.state or "",
            "sort": f"-{sort}" if sort and self.is_reversed else sort,
            "group": "" if self.group == Group.NONE else self.group,
            "attention": "all" if self.all_attention else "",
        }

    def in_state(self, state: Condition) -> str:
        """Only this state; all of them where it is the one that is shown."""
        return replace(self, state=None if state == self.state else state).path

    def with_tag(self, tag: str) -> str:
        return replace(self, tag=tag).path

    def grouped(self, group: Group) -> str:
        return replace(self, group=group).path

    def with_all_attention(self) -> str:
        return replace(self, all_attention=True).path

    def with_density(self, density: str) -> str:
        return query("/", **self.values, density=density)

    def sorted(self, order: Order) -> str:
        """By this order; the other way round where it is the one that is shown."""
        turned = order == self.order and not self.is_reversed
        return replace(self, order=order, is_reversed=turned).path

    def direction(self, *orders: Order) -> str:
        """What `aria-sort` says of a head with these orders; empty: it is not sorted by it."""
        if self.order not in orders:
            return ""
        is_descending = (self.order in _DESCENDING) != self.is_reversed
        return "descending" if is_descending else "ascending"


async def show(request: web.Request) -> web.Response:
    wish = _wish(request)
    after = number(request, "after", N_("This is not a valid place in the list."))
    asked = DashboardQuery(
        text=wish.text,
        tag=wish.tag,
        state=wish.state,
        order=wish.order,
        is_reversed=wish.is_reversed,
        group=wish.group,
        after=after,
        all_attention=wish.all_attention,
        zone=reader().zone,
    )
    found = await dashboard(actor_of(request), asked)
    chosen = request.query.get("density")
    density = chosen if chosen in DENSITIES else choice(request, DENSITY, DENSITIES)
    response = page(
        request,
        "repositories/overview.html",
        icon=tab_icon(is_bad=bool(found.severe), is_live=found.is_any_in_use),
        found=found,
        repositories=[(one, group, charts.strip(one.strip)) for one, group in found.repositories],
        first_page=wish.path if after is not None else None,
        next_page=wish.after(found.next_after) if found.next_after is not None else None,
        wish=wish,
        change_address=query("/repositories/change", q=wish.text, tag=wish.tag, state=wish.state),
        orders=ORDERS,
        groups=GROUPS,
        density=density or DENSITIES[0],
        legend=charts.LEGEND,
    )
    if chosen in DENSITIES:
        keep_choice(request, response, DENSITY, chosen)
    return response


def _wish(request: web.Request) -> Wish:
    sort = request.query.get("sort", "")
    return Wish(
        text=request.query.get("q", "").strip()[:_MAX_TEXT],
        tag=request.query.get("tag", "").strip()[:_MAX_TEXT].lower(),
        state=one_of(request, "state", _shown_state),
        order=one_of(request, "sort", lambda text: Order(text.removeprefix("-"))) or Order.WORST,
        is_reversed=sort.startswith("-"),
        group=one_of(request, "group", Group) or Group.NONE,
        all_attention=request.query.get("attention") == "all",
    )


def _shown_state(text: str) -> Condition:
    state = Condition(text)
    if state not in COUNTED:
        raise ValueError(text)
    return state
