"""What a screen on the wall shows: how everything is, in large tiles, the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from hive.services.health import strips
from hive.services.health.states import Condition
from hive.services.notifications import reach
from hive.services.overview import rows
from hive.services.overview.listing import Listing, ListQuery, Totals
from hive.services.overview.rows import Row
from hive.services.permissions import Actor
from hive.services.storage import disks
from hive.services.storage.disks import DiskInfo

TILES = 36  # that fit a screen of 1920 by 1080
MOST = 120


@dataclass(frozen=True, kw_only=True)
class Wall:
    """`more_fine`: how many are not shown, all of which are fine; `more`: or not all of which."""

    totals: Totals
    tiles: Sequence[Row]
    more_fine: int
    more: int
    failing_channels: int
    disks: Sequence[DiskInfo]


async def wall(actor: Actor, zone: tzinfo | None) -> Wall:
    """All repositories that the actor may see; of many, those that are not fine."""
    listing = await Listing.open(actor)
    totals = await listing.totals()
    fine = dict(totals.counts).get(Condition.FINE, 0)
    length = min(max(totals.total - fine, TILES), MOST)
    page = await listing.page(ListQuery(), length)
    left = totals.total - len(page.rows)
    return Wall(
        totals=totals,
        tiles=await rows.rows_of(actor, [one.id for one in page.rows], zone, strips.WALL),
        more_fine=left if left <= fine else 0,
        more=left if left > fine else 0,
        failing_channels=await reach.failing_channels(actor),
        disks=await disks.disks(totals.location_ids),
    )
