"""The command hive status."""

from __future__ import annotations

import textwrap

import click

from hive.cli import output
from hive.cli.running import with_hive
from hive.cli.words import condition_word
from hive.services.health.states import Condition
from hive.services.overview import status as service
from hive.services.overview.status import Concern, ConcernKind, Status
from hive.services.permissions import Actor

_WIDTH = 80
_INDENT = 10
_MOST = 30  # lines that are shown; the document has all
_KEYS = {Condition.RUNNING: "backing_up"}
_RED = (ConcernKind.CRITICAL, ConcernKind.SERVER, ConcernKind.NOBODY_NOTIFIED, ConcernKind.DOWN)


@click.command()
@output.json_option
@with_hive
async def status(actor: Actor) -> None:
    """Show what needs attention. Exit status 1 if anything does."""
    found = await service.look(actor)
    if output.wants_json():
        output.show_json(_document(found))
    else:
        for line in _lines(found):
            click.echo(line)
    if not found.is_fine:
        raise click.exceptions.Exit(1)


def _document(found: Status) -> dict[str, object]:
    return {
        "fine": found.is_fine,
        "repositories": sum(found.counts.values()),
        "counts": {
            _KEYS.get(condition, str(condition)): count for condition, count in found.counts.items()
        },
        "attention": [
            {
                "kind": str(one.kind),
                "repository": one.repository or None,
                "alarm": one.alarm or None,
                "alarm_id": one.alarm_id,
                "since": output.time(one.since),
                "message": one.message,
            }
            for one in found.concerns
        ],
    }


def _lines(found: Status) -> list[str]:
    shown = [line for one in found.concerns[:_MOST] for line in _of_concern(one)]
    more = len(found.concerns) - _MOST
    if more > 0:
        shown.append(f"And {more} more: hive status --json shows all.")
    return [*_headline(found), *shown]


def _headline(found: Status) -> list[str]:
    total = sum(found.counts.values())
    if not total:
        return ["No repository yet."]
    counted = ", ".join(
        f"{count} {condition_word(condition)}" for condition, count in found.counts.items() if count
    )
    every = output.counted(total, "repository", "repositories")
    return textwrap.wrap(f"{every}: {counted}.", _WIDTH)


def _of_concern(one: Concern) -> list[str]:
    """'DOWN      alice/documents: No backup ...', in as many lines as it takes."""
    about = f"{one.repository}: " if one.repository else ""
    answer = f" Answer: hive alarm answer {one.alarm_id}" if one.alarm_id is not None else ""
    text = output.harmless(f"{about}{one.message}{answer}").replace("\n", " ")
    blanks = " " * _INDENT
    lines = textwrap.wrap(text, _WIDTH - _INDENT, break_on_hyphens=False) or [""]
    word = _WORDS.get(one.kind, one.kind.upper())
    return [
        f"{_coloured(one, word.ljust(_INDENT))}{lines[0]}",
        *(blanks + one for one in lines[1:]),
    ]


_WORDS = {ConcernKind.NOBODY_NOTIFIED: "NOBODY"}


def _coloured(one: Concern, word: str) -> str:
    if not output.colours():
        return word
    return click.style(word, fg="red" if one.kind in _RED else "yellow", bold=True)
