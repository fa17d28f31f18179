"""Measuring a repository because somebody asks for it."""

from __future__ import annotations

from hive.database import unbroken
from hive.services import repositories, statistics
from hive.services.permissions import Actor


async def measure_now(actor: Actor, repository_id: int) -> None:
    """Look at the repository's disk now; it goes on where the caller does not wait for it."""
    await repositories.require_manage(actor, repository_id)
    await unbroken(statistics.measure(repository_id), name=f"measure {repository_id}")
