"""What takes room for a repository, and what limits it: for its page and for `hive repo show`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hive.kinds import Level
from hive.models import Repository
from hive.services.lifecycle import config_limits, staged_imports
from hive.services.lifecycle.config_limits import ConfigLimits
from hive.services.lifecycle.staged_imports import StagedImport
from hive.services.permissions import Actor, level_on
from hive.services.repositories import quotas
from hive.services.repositories.infos import RepositoryInfo
from hive.services.repositories.quotas import QuotaUse, Scope


@dataclass(frozen=True)
class Occupancy:
    """`quotas`: the fullest first."""

    quotas: tuple[QuotaUse, ...]
    staged: StagedImport | None
    limits: ConfigLimits


async def look(actor: Actor, info: RepositoryInfo) -> Occupancy:
    """For who may see the repository; quotas of its owner only for who may change it."""
    level = await level_on(actor, await Repository.get(id=info.id))
    uses = [
        one
        for one in await quotas.uses(info.id)
        if level >= Level.MANAGE or one.quota.scope == Scope.REPOSITORY
    ]
    return Occupancy(
        tuple(uses),
        await staged_imports.look(info),
        await asyncio.to_thread(config_limits.read, info.path),
    )
