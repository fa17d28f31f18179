"""Measuring a repository because somebody asks for it."""

from __future__ import annotations

from hive.background import unbroken
from hive.services.measurements import statistics
from hive.services.permissions import Actor
from hive.services.repositories import catalogue


async def measure_now(actor: Actor, repository_id: int) -> None:
    """Look at the repository's disk now; it goes on where the caller does not wait for it."""
    await catalogue.require_manage(actor, repository_id)
    await unbroken(statistics.measure(repository_id), name=f"measure {repository_id}")
