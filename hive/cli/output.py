"""What commands print: tables for people, one JSON document for programs, messages beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hive.cli.options import Options
from hive.clock import rfc3339
from hive.formats import format_size
from hive.log_text import escape

if TYPE_CHECKING:
    from hive.services.repositories.quotas import QuotaUse

Document = Mapping[str, Any]
Function = TypeVar("Function", bound=Callable[..., Any])


def json_option(function: Function) -> Function:
    """Let a command take --json behind its verb."""

    def remember(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
        if value:
            _options(context).json = True

    return click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=remember,
        help="Print one JSON document.",
    )(function)


def _options(context: click.Context) -> Options:
    options = context.find_object(Options)
    assert options is not None  # noqa: S101 - the group above every command sets it
    return options


def wants_json() -> bool:
    return _options(click.get_current_context()).json


def say(message: str) -> None:
    """A message for the person at the terminal; standard output stays for what was asked for."""
    click.echo(harmless(message), err=True)


def warn_of(use: QuotaUse | None) -> None:
    """Say where a quota was set below what is used already."""
    if use is not None and use.is_used_up:
        say(f"Warning: {use.warning}")


def time(at: datetime | None) -> str | None:
    """A point in time as JSON has it."""
    return None if at is None else rfc3339(at)


def show_json(document: object) -> None:
    click.echo(json.dumps(document, indent=2))


def show_list(
    documents: Sequence[Document],
    columns: Mapping[str, Callable[[Any], object]],
    rows: Sequence[Any],
) -> None:
    """`documents` as JSON, or else a table of `rows`, each column's cell made by its function."""
    if wants_json():
        show_json(list(documents))
        return
    cells = [list(columns), *([_cell(make(row)) for make in columns.values()] for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(columns))]
    for row in cells:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def show_one(document: Document, fields: Mapping[str, object]) -> None:
    """`document` as JSON, or else a line for each of `fields`; a list takes a line an item."""
    if wants_json():
        show_json(document)
        return
    width = max(len(name) for name in fields)
    for name, value in fields.items():
        items = value if isinstance(value, list | tuple) else [value]
        for index, item in enumerate(items or [None]):
            click.echo(f"{name if index == 0 else '':<{width}}  {_cell(item)}")


def show_done(document: Document, message: str) -> None:
    """`document` as JSON, or else what was done in a sentence."""
    if wants_json():
        show_json(document)
    else:
        click.echo(harmless(message))


def size(value: int | None) -> str:
    return "-" if value is None else format_size(value)


def _cell(value: object) -> str:
    """Plain text: what a client sent can neither start a line nor move the cursor."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return rfc3339(value)
        case list() | tuple():
            return escape(", ".join(str(item) for item in value)) or "-"
    return escape(str(value))


def harmless(message: str) -> str:
    """What others wrote, so that it moves no cursor; lines stay lines."""
    return "\n".join(escape(line) for line in message.split("\n"))
