"""Lists of machines as CSV: what each line says, and what is wrong in which column."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from hive import units
from hive.errors import InvalidInput
from hive.kinds import Access, ShareLevel
from hive.sentences import say
from hive.services.health.schedules import ScheduleChange
from hive.services.repositories.machines import AddMachine

MAX_LINES = 1000
MAX_TEXT = 2_000_000  # characters
_MAX_PROBLEMS = 100
_DELIMITERS = ",;\t"
_CRON_FIELDS = 5

T = TypeVar("T")


class Column(StrEnum):
    """The head of a column. Only `name` must be there."""

    NAME = "name"
    OWNER = "owner"
    KEY = "key"
    ACCESS = "access"
    SCHEDULE = "schedule"
    TIMEZONE = "timezone"
    GRACE = "grace"
    QUOTA = "quota"
    TAGS = "tags"
    GROUPS = "groups"
    LOCATION = "location"


@dataclass(frozen=True)
class Problem:
    """What is wrong, in words; `column` is None for a whole line, `line` 0 for the whole list."""

    line: int
    column: str | None
    message: str


class ListRefused(InvalidInput):
    """Nothing was added: each of these problems has its line and column."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(
            say("Nothing was added. Problems in the list: %(count)s.", count=len(problems)),
            field="list",
        )
        self.problems = problems


@dataclass(frozen=True)
class Listed:
    """A line of the list."""

    line: int
    machine: AddMachine


@dataclass
class _Reader:
    problems: list[Problem] = field(default_factory=list)

    def complain(self, line: int, column: str | None, message: str) -> None:
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(Problem(line, column, message))


def read(text: str) -> list[Listed]:
    """The machines of a CSV file with a head; ListRefused where a value cannot be read.

    Columns are separated by commas, semicolons or tabs, whichever the head uses.
    """
    reader = _Reader()
    if len(text) > MAX_TEXT:
        raise ListRefused([Problem(0, None, say("The list is too long."))])
    lines = text.lstrip("\ufeff").splitlines()
    head = next((line for line in lines if line.strip()), "")
    delimiter = max(_DELIMITERS, key=head.count)
    rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    found: list[Listed] = []
    columns: list[Column] | None = None
    try:
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if columns is None:
                columns = _head(rows.line_num, row)
                continue
            if len(found) >= MAX_LINES:
                message = say("More than %(most)s machines at once.", most=MAX_LINES)
                raise ListRefused([Problem(rows.line_num, None, message)])
            found += _line(reader, rows.line_num, columns, row)
    except csv.Error as error:
        message = say("This line is not CSV: %(error)s", error=error)
        reader.complain(rows.line_num, None, message)
    if columns is None or (not found and not reader.problems):
        reader.complain(0, None, say("The list names no machine."))
    if reader.problems:
        raise ListRefused(reader.problems)
    return found


def _head(line: int, row: Sequence[str]) -> list[Column]:
    known = {column.value: column for column in Column}
    names = [cell.strip().lower() for cell in row]
    wrong = next((name for name in names if name not in known), None)
    if wrong is not None:
        message = say(
            "There is no column %(name)r; there are: %(known)s.",
            name=wrong[:60],
            known=", ".join(known),
        )
        raise ListRefused([Problem(line, wrong[:60], message)])
    if len(set(names)) < len(names) or Column.NAME not in names:
        message = say("The first line names each column once, and `name` is one of them.")
        raise ListRefused([Problem(line, None, message)])
    return [known[name] for name in names]


def _line(
    reader: _Reader, line: int, columns: Sequence[Column], row: Sequence[str]
) -> list[Listed]:
    if len(row) > len(columns):
        message = say(
            "This line has %(count)s columns, the first one has %(expected)s.",
            count=len(row),
            expected=len(columns),
        )
        reader.complain(line, None, message)
        return []
    cells = {column: cell.strip() for column, cell in zip(columns, row, strict=False)}
    before = len(reader.problems)

    def parsed(column: Column, parse: Callable[[str], T], default: T) -> T:
        text = cells.get(column, "")
        if not text:
            return default
        try:
            return parse(text)
        except InvalidInput as error:
            reader.complain(line, column, error.message)
        return default

    schedule = parsed(Column.SCHEDULE, _schedule, ScheduleChange())
    zone = cells.get(Column.TIMEZONE) or None
    if zone is not None and schedule.cron is None:
        message = say("A time zone belongs to a schedule with a time of day.")
        reader.complain(line, Column.TIMEZONE, message)
    machine = AddMachine(
        name=cells.get(Column.NAME, ""),
        owner=cells.get(Column.OWNER) or None,
        public_key=cells.get(Column.KEY) or None,
        access=parsed(Column.ACCESS, _access, Access.APPEND_ONLY),
        location=cells.get(Column.LOCATION) or None,
        quota_bytes=parsed(Column.QUOTA, units.parse_limit, None),
        share_levels=parsed(Column.GROUPS, _groups, {}),
        schedule=ScheduleChange(
            every=schedule.every,
            cron=schedule.cron,
            no_schedule=schedule.no_schedule,
            timezone=zone,
            grace=parsed(Column.GRACE, units.parse_duration, None),
        ),
        tags=cells.get(Column.TAGS, "").split(),
    )
    return [Listed(line, machine)] if len(reader.problems) == before else []


def _access(text: str) -> Access:
    allowed = (Access.APPEND_ONLY, Access.FULL)
    found = next((one for one in allowed if one == text.lower()), None)
    if found is None:
        raise InvalidInput("The access is append-only or full.")
    return found


def _schedule(text: str) -> ScheduleChange:
    """none, daily, weekly, an interval, a time of day, or a cron expression."""
    word = text.lower()
    if word == "none":
        return ScheduleChange(no_schedule=True)
    if word in ("daily", "weekly"):
        return ScheduleChange(every=units.parse_duration("1d" if word == "daily" else "1w"))
    if (time := units.time_of_day(word)) is not None:
        hour, minute = time
        return ScheduleChange(cron=f"{minute} {hour} * * *")
    if len(word.split()) == _CRON_FIELDS:
        return ScheduleChange(cron=text)
    try:
        return ScheduleChange(every=units.parse_duration(word))
    except InvalidInput:
        raise InvalidInput(
            "%(text)r is not a schedule: write none, daily, weekly, 12h, 03:00 or a cron"
            " expression.",
            text=text[:60],
        ) from None


def _groups(text: str) -> Mapping[str, ShareLevel]:
    """Names with spaces between them; NAME:view lets its members see it only."""
    levels: dict[str, ShareLevel] = {}
    for word in text.split():
        name, colon, level = word.rpartition(":")
        if not colon:
            levels[word] = ShareLevel.MANAGE
        elif level in list(ShareLevel):
            levels[name] = ShareLevel(level)
        else:
            raise InvalidInput("Write GROUP, GROUP:view or GROUP:manage.")
    return levels
