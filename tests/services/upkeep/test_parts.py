"""How far an upkeep has come outlives a restart, and rows of former versions are read."""

from __future__ import annotations

from dataclasses import replace

from hive.kinds import UpkeepKind, UpkeepState
from hive.models import Upkeep
from hive.services.upkeep import queue
from hive.services.upkeep.parts import Parts
from tests import factories
from tests.factories import People


async def test_what_is_stored_comes_back(people: People) -> None:
    made = await factories.make_repository(people.alice)
    parts = Parts(is_partial=True, has_begun=True, is_rest=True, problems=("one", "two"))
    row = queue._new(made.id, UpkeepKind.CHECK)
    parts.store(row)
    await row.save()
    stored = await Upkeep.get(id=row.id)
    assert Parts.of(stored) == parts
    assert queue.info_of(stored).problems == ("one", "two")
    replace(parts, freed_bytes=12).store(stored)
    assert Parts.of(stored).problems == ("one", "two")


def test_a_row_of_a_former_version_is_read() -> None:
    row = Upkeep(kind=UpkeepKind.CHECK, state=UpkeepState.PAUSED)
    row.details = {"since": "2026-11-20T03:00:00Z", "is_partial": True, "problems": None}
    assert Parts.of(row) == Parts(is_partial=True)
    row.details = {}
    assert Parts.of(row) == Parts()
