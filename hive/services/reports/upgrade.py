"""Moving logs into files that former versions stored in the database, one run after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hive.models import Run
from hive.off_loop import off_loop
from hive.services.reports import log_files, logs, space, verdicts
from hive.services.reports.run_notes import RunNotes

_AT_ONCE = 200


async def move_into_file(run_id: int) -> bool:
    """Move the log of a run that a former version kept in the database; whether there was one."""
    row = await Run.filter(id=run_id).exclude(log="").select_related("repository").first()
    if row is None:
        return False
    place = row.repository
    file = await off_loop(log_files.write, row.repository_id, row.log)
    values: dict[str, Any] = {"log": "", "log_file": file.name, "log_bytes": file.bytes}
    if row.judge_at is not None:
        claim = await off_loop(
            verdicts.claim, row.log, login=place.login, directory=place.directory
        )
        notes = replace(RunNotes.of(row), claim=claim, last_lines=logs.last_lines(row.log))
        notes.store(row)
        values["details"] = row.details
    if not await Run.filter(id=run_id, log_file=None).update(**values):
        await logs.remove(row.repository_id, [file.name])
    return True


async def move_all_into_files() -> int:
    """Move what a former version kept in the database; goes on where it was stopped."""
    moved, last = 0, 0
    repositories: set[int] = set()
    while True:
        rows = Run.filter(id__gt=last).exclude(log="").order_by("id").limit(_AT_ONCE)
        found = await rows.values_list("id", "repository_id")
        if not found:
            break
        for run_id, repository_id in found:
            moved += await move_into_file(run_id)
            repositories.add(repository_id)
            last = run_id
    for repository_id in repositories:
        await space.keep_within_bounds(repository_id, last)
    return moved
