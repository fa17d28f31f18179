"""What the first page shows, asked for with one call: filtered, ordered and cut to one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from hive.kinds import Need
from hive.models import Session
from hive.services.overview import attention, rows
from hive.services.overview.attention import Attention, AttentionKind
from hive.services.overview.listing import Listing, ListQuery, Totals
from hive.services.overview.rows import Row
from hive.services.permissions import Actor
from hive.services.storage import disks
from hive.services.storage.disks import DiskInfo

ROWS = 40  # of a page
LINES = 6  # of what needs attention, unless all of it is asked for


@dataclass(frozen=True, kw_only=True)
class DashboardQuery(ListQuery):
    """Which repositories to list, and how.

    all_attention  all that needs attention, and not the first lines alone
    zone           the time zone that days are of; None: UTC
    """

    all_attention: bool = False
    zone: tzinfo | None = None


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """All repositories that the actor may see, in figures, and one page of them in detail.

    repositories   the rows of this page, each with the group it stands in
    next_after     the `after` of the next page; None on the last one
    fitting        how many repositories the query fits
    attention      the first of what needs attention; `more_attention` is what follows
    severe         how many lines of all of it are red
    received       bytes of the sessions that ended within a day
    failed         in how many repositories the last session failed
    is_any_in_use  whether a session runs on any of them
    """

    repositories: Sequence[tuple[Row, str]]
    next_after: int | None
    fitting: int
    totals: Totals
    attention: Sequence[Attention]
    more_attention: Sequence[Attention]
    severe: int
    received: int
    failed: int
    disks: Sequence[DiskInfo]
    is_any_in_use: bool


async def dashboard(actor: Actor, query: DashboardQuery) -> Dashboard:
    """In a constant number of queries, however many repositories there are."""
    listing = await Listing.open(actor)
    totals = await listing.totals()
    page = await listing.page(query, ROWS)
    groups = {one.id: one.group for one in page.rows}
    shown = await rows.rows_of(actor, list(groups), query.zone)
    wanting = await attention.list_attention(actor, listing, totals)
    lines = len(wanting) if query.all_attention else LINES
    in_use = Session.filter(listing.about(), ended_at=None)
    return Dashboard(
        repositories=[(one, groups[one.id]) for one in shown],
        next_after=page.next_after,
        fitting=totals.total if page.fitting is None else page.fitting,
        totals=totals,
        attention=wanting[:lines],
        more_attention=wanting[lines:],
        severe=sum(one.is_severe for one in wanting),
        received=await listing.received(),
        failed=sum(one.count for one in wanting if one.kind == AttentionKind.SESSION_FAILED),
        disks=await disks.disks(totals.location_ids),
        is_any_in_use=await in_use.exclude(need=Need.STATUS).exists(),
    )
