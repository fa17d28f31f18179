"""What commands print: tables for people, one JSON document for programs, messages beside it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hive import clock
from hive.cli import tables
from hive.cli.options import Options
from hive.clock import rfc3339
from hive.formats import format_size, span
from hive.log_text import escape

if TYPE_CHECKING:
    from hive.services.repositories.quotas import QuotaUse

_THIS_YEAR = timedelta(days=180)  # within which a time of day says more than the year

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


def list_options(function: Function) -> Function:
    """Let a listing take --columns, --wide and --json behind its verb."""

    def remember_columns(
        context: click.Context, _parameter: click.Parameter, value: str | None
    ) -> None:
        if value is not None:
            names = tuple(name.strip() for name in value.split(",") if name.strip())
            if not names:
                raise click.BadParameter("name at least one column.")
            _options(context).columns = names

    def remember_width(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
        if value:
            _options(context).is_wide = True

    columns = click.option(
        "--columns",
        metavar="A,B,...",
        expose_value=False,
        callback=remember_columns,
        help="Show these columns only.",
    )
    wide = click.option(
        "--wide",
        is_flag=True,
        expose_value=False,
        callback=remember_width,
        help="Show all columns and cut nothing.",
    )
    return columns(wide(json_option(function)))


def is_anything_asked(*, besides: Collection[str] = ()) -> bool:
    """Whether the command was given an option that asks for something.

    besides  parameters that only say what the command is about
    """
    context = click.get_current_context()
    return any(
        context.get_parameter_source(one.name or "") is click.core.ParameterSource.COMMANDLINE
        for one in context.command.params
        if isinstance(one, click.Option) and one.expose_value and one.name not in besides
    )


def show_unchanged(document: Document) -> None:
    """What a command that was asked for no change says."""
    show_done(document, "Nothing to change: give an option.")


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


def is_terminal() -> bool:
    """Whether a person reads standard output."""
    return sys.stdout.isatty()


def width() -> int:
    """How many letters fit on a line."""
    return shutil.get_terminal_size().columns


def colours() -> bool:
    """Whether to use colours: on a terminal, unless NO_COLOR is set."""
    return is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def when(at: datetime | None) -> str | None:
    """A point in time, and how far away it is."""
    if at is None:
        return None
    distance = clock.now() - at
    if distance < timedelta(0):
        return f"{rfc3339(at)}, in {span(-distance)}"
    return f"{rfc3339(at)}, {span(distance)} ago"


def counted(number: int, one: str, many: str | None = None) -> str:
    """'1 repository', '2 repositories'."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def show_list(
    documents: Sequence[Document],
    columns: Mapping[str, Callable[[Any], object]],
    rows: Sequence[Any],
    *,
    details: Collection[str] = (),
) -> None:
    """`documents` as JSON, or else a table of `rows`, each column's cell made by its function.

    details  the columns that come last into a table that has to fit a terminal, in this order
    """
    if wants_json():
        show_json(list(documents))
        return
    options = _options(click.get_current_context())
    heads = list(columns)
    if options.columns:
        heads = _chosen(heads, options.columns)
    make_cell = _short_cell if is_terminal() and not options.is_wide else _cell
    cells = {head: [make_cell(columns[head](row)) for row in rows] for head in heads}
    widths = {head: max(len(head), *map(len, cells[head]), 0) for head in heads}
    if is_terminal() and not options.is_wide:
        limit = width()
        if not options.columns:
            heads = tables.fitting(widths, details, limit)
        narrow = tables.narrowed([widths[head] for head in heads], limit)
        widths = dict(zip(heads, narrow, strict=True))
    _show_table(heads, cells, widths, len(rows))


def _chosen(heads: Sequence[str], wanted: Sequence[str]) -> list[str]:
    try:
        return tables.chosen(heads, wanted)
    except KeyError as error:
        known = ", ".join(tables.key_of(head) for head in heads)
        raise click.UsageError(f"There is no column {error}. The columns are: {known}.") from None


def _show_table(
    heads: Sequence[str],
    cells: Mapping[str, Sequence[str]],
    widths: Mapping[str, int],
    count: int,
) -> None:
    paint = click.style if colours() else _unpainted
    gap = " " * tables.GAP
    lines: list[list[tuple[str, str, str | None]]] = [[(head, head, None) for head in heads]]
    lines += [[(head, cells[head][row], head) for head in heads] for row in range(count)]
    for line in lines:
        shown = []
        for head, cell, kind in line:
            text = tables.cut(cell, widths[head])
            padded = text if head == heads[-1] else text.ljust(widths[head])
            colour = None if kind is None else tables.colour_of(kind, cell)
            shown.append(paint(padded, fg=colour, bold=True if kind is None else None))
        click.echo(gap.join(shown).rstrip())


def _unpainted(text: str, **_style: object) -> str:
    return text


def label(name: str) -> str:
    """A field of a document in words: 'last_login_at' is 'last login'."""
    return name.removesuffix("_at").removesuffix("_bytes").replace("_", " ")


def show_one(document: Document, fields: Mapping[str, object]) -> None:
    """`document` as JSON, or else a line for each of `fields` that has a value.

    A list takes a line an item.
    """
    if wants_json():
        show_json(document)
        return
    found = {label(name): _items(value) for name, value in fields.items()}
    shown = {name: items for name, items in found.items() if items}
    longest = max((len(name) for name in shown), default=0)
    for name, items in shown.items():
        for index, item in enumerate(items):
            click.echo(f"{name if index == 0 else '':<{longest}}  {_cell(item)}")


def _items(value: object) -> list[object]:
    """The lines of a value; none where it says nothing."""
    items = value if isinstance(value, list | tuple) else [value]
    return [item for item in items if item is not None and item not in ("", "-")]


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


def _short_cell(value: object) -> str:
    """The same for a table that has to be narrow."""
    if isinstance(value, datetime):
        return short_time(value)
    return _cell(value)


def short_time(at: datetime) -> str:
    """'30 Nov 14:05Z', and '30 Nov 2024' of what is long ago; in UTC."""
    there = at.astimezone(UTC)
    is_near = abs(clock.now() - there) < _THIS_YEAR
    return there.strftime("%d %b %H:%MZ" if is_near else "%d %b %Y")


def harmless(message: str) -> str:
    """What others wrote, so that it moves no cursor; lines stay lines."""
    return "\n".join(escape(line) for line in message.split("\n"))
