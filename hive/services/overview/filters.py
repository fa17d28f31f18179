"""Which repositories a person wants to see, for commands; pages ask overview/listing.py."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from hive.services.health.states import Condition
from hive.services.overview import summaries
from hive.services.overview.summaries import Summary
from hive.services.permissions import Actor


@dataclass(frozen=True, kw_only=True)
class RepositoryFilter:
    """What is empty lets everything through.

    states  the conditions that they may be in
    owners  the users, by name, that they may belong to
    tags    tags that they all have
    """

    states: Collection[Condition] = ()
    owners: Collection[str] = ()
    tags: Collection[str] = ()

    def fits(self, one: Summary) -> bool:
        return (
            (not self.states or one.condition in self.states)
            and (not self.owners or one.owner in self.owners)
            and all(tag in one.tags for tag in self.tags)
        )


async def matching(actor: Actor, wanted: RepositoryFilter) -> set[int]:
    """The ids of the repositories that the actor may see and that fit."""
    return {one.id for one in await summaries.summaries(actor) if wanted.fits(one)}
