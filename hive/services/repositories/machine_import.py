"""Adding many machines from a list: all of them or none, and again without harm."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from hive import publickey
from hive.database import rehearse, transactional
from hive.errors import Conflict, Forbidden, InvalidInput, NotFound
from hive.models import Repository
from hive.services import references, shares
from hive.services.permissions import Actor
from hive.services.repositories import machine_lists, machines
from hive.services.repositories.machine_lists import Column, Listed, ListRefused, Problem
from hive.services.storage import locations

_COLUMNS = {
    "name": Column.NAME,
    "public_key": Column.KEY,
    "key": Column.KEY,
    "quota": Column.QUOTA,
    "tag": Column.TAGS,
    "cron": Column.SCHEDULE,
    "every": Column.SCHEDULE,
    "timezone": Column.TIMEZONE,
    "grace": Column.GRACE,
}
_MAX_PROBLEMS = 100


@dataclass(frozen=True, kw_only=True)
class ImportedMachine:
    """A line of the list.

    is_new         False: the owner has a repository of this name already, and it stays as it is
    repository_id  None in a rehearsal, where it is new
    fingerprint    of its key, where the list has one
    """

    line: int
    name: str
    owner: str
    is_new: bool
    repository_id: int | None
    fingerprint: str | None


async def import_machines(
    actor: Actor, text: str, *, is_rehearsal: bool = False
) -> list[ImportedMachine]:
    """Add the machines of a CSV list (hive/services/repositories/machine_lists.py).

    Machines that are there already stay as they are, so that a list can be imported again.
    ListRefused names each problem with its line and column; nothing is added then.
    """
    listed = machine_lists.read(text)
    if not is_rehearsal:
        return await _add(actor, listed)
    found = await rehearse(functools.partial(_add, actor, listed))
    return [replace(one, repository_id=None) if one.is_new else one for one in found]


@transactional
async def _add(actor: Actor, listed: Sequence[Listed]) -> list[ImportedMachine]:
    """Add what can be, so that all problems are found; the transaction is given up then."""
    imported: list[ImportedMachine] = []
    problems: list[Problem] = []
    lines: dict[tuple[str, str], int] = {}
    for one in listed:
        try:
            imported.append(await _add_one(actor, one, lines))
        except _WrongCellError as wrong:
            problems.append(Problem(one.line, wrong.column, wrong.message))
    if problems:
        raise ListRefused(problems[:_MAX_PROBLEMS])
    return imported


async def _add_one(actor: Actor, one: Listed, lines: dict[tuple[str, str], int]) -> ImportedMachine:
    wanted = one.machine
    with _problems_of(Column.OWNER):
        owner = await references.person(actor, wanted.owner or actor.name)
    former = lines.setdefault((owner.name, wanted.name), one.line)
    with _problems_of(Column.NAME):
        if former != one.line:
            raise Conflict("Line %(line)s names this machine already.", line=former)
    fingerprint = None
    with _problems_of(Column.KEY):
        if wanted.public_key is not None:
            fingerprint = publickey.parse(wanted.public_key).fingerprint
    there = await Repository.get_or_none(name=wanted.name, owner_id=owner.id, deleted_at=None)
    if there is None:
        with _problems_of(Column.LOCATION):
            await locations.get_location(wanted.location)
        with _problems_of(Column.GROUPS):
            await shares.require_usable(actor, wanted.share_levels)
        with _problems_of(None):
            added = await machines.add_machine(actor, replace(wanted, owner=owner.name))
    return ImportedMachine(
        line=one.line,
        name=wanted.name,
        owner=owner.name,
        is_new=there is None,
        repository_id=added.repository.id if there is None else there.id,
        fingerprint=fingerprint,
    )


class _WrongCellError(Exception):
    def __init__(self, column: str | None, message: str) -> None:
        super().__init__(message)
        self.column = column
        self.message = message


@contextmanager
def _problems_of(column: Column | None) -> Iterator[None]:
    """What is refused inside is the fault of this column, unless it names another."""
    try:
        yield
    except (InvalidInput, Conflict) as error:
        raise _WrongCellError(_COLUMNS.get(error.field or "", column), error.message) from error
    except (NotFound, Forbidden) as error:
        raise _WrongCellError(column, error.message) from error
