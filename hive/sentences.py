"""Sentences for people: plain English with named placeholders, and the values that fill them.

A sentence is a str, its English: logs and commands print it as it is. It remembers what it was
made of, so that an edge can translate the text with gettext and format the values for the reader,
and so that a row can store it. Text that came from elsewhere is a plain str and stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any, Self

from cronsim import CronSim

from hive.formats import format_size, largest_unit, moment, span

# What stands for a value; anything else behind a percent sign was not written by `store`.
_PLACEHOLDER = re.compile(r"%%|%\(\w+\)(?:[srg]|\.\df)")
_UNKNOWN = re.compile(r"%\(")
_MARK = '{"say":'  # what a stored sentence begins with; plain text is stored as it is


class Size(int):
    """A number of bytes, which readers see with a unit."""


class Cron(str):
    """A cron expression, which readers of English see explained."""

    __slots__ = ()


# What a value is kept as; anything else, such as a path or an error, becomes its text.
Value = str | int | float | datetime | date | timedelta | None
Format = Callable[[Value], object]  # how one value is shown; what it does not know it returns


class Sentence(str):
    """English, made of `text` with placeholders like %(name)s and of `values` by their names.

    Without values the text is taken literally: a percent sign needs no second one.
    """

    text: str
    values: Mapping[str, Value]
    __slots__ = ("text", "values")

    def __new__(cls, text: str, values: Mapping[str, object] | None = None) -> Self:
        kept = {name: _kept(value) for name, value in (values or {}).items()}
        made = super().__new__(cls, fill(text, kept, in_english))
        made.text, made.values = text, kept
        return made

    def __getnewargs__(self) -> tuple[str, Mapping[str, Value]]:  # type: ignore[override]
        return self.text, self.values


class Inside(Sentence):
    """A sentence inside of another one: its first letter is small."""

    __slots__ = ()

    def __new__(cls, text: str, values: Mapping[str, object] | None = None) -> Self:
        sentence = Sentence(text, values)
        made = str.__new__(cls, small(sentence))
        made.text, made.values = sentence.text, sentence.values
        return made


def small(text: str) -> str:
    """`text` with a small first letter."""
    return f"{text[:1].lower()}{text[1:]}"


def say(text: str, /, **values: object) -> Sentence:
    """A sentence; `text` is a literal, because catalogues are made from the code."""
    return Sentence(text, values)


def N_(text: str) -> str:  # noqa: N802 - the name that catalogues are extracted by
    """Mark a text that becomes a sentence later, when its values are known."""
    return text


def join(*parts: str, by: str = " ") -> Sentence:
    """Sentences beside each other, each of which is translated; empty ones are left out."""
    values = {f"part{number}": part for number, part in enumerate(filter(None, parts), 1)}
    return Sentence(by.join(f"%({name})s" for name in values), values)


def ago(length: timedelta) -> Sentence:
    """'9 days ago': rounded down in its largest unit; one sentence each, for other languages."""
    found = largest_unit(length)
    if found is None:
        return say("less than a minute ago")
    count, unit = found
    one, many = _AGO[unit]
    return Sentence(one) if count == 1 else Sentence(many, {"count": count})


_AGO = {
    "day": (N_("1 day ago"), N_("%(count)s days ago")),
    "hour": (N_("1 hour ago"), N_("%(count)s hours ago")),
    "minute": (N_("1 minute ago"), N_("%(count)s minutes ago")),
}


def listed(names: Sequence[str], most: int, *, of: int = 0) -> str:
    """At most so many names, and how many more there are: of `of`, where not all are given."""
    shown = join(*names[:most], by=", ")
    count = max(of, len(names))
    if count <= most:
        return shown
    return say("%(names)s and %(count)s more", names=shown, count=count - most)


def fill(text: str, values: Mapping[str, Value], show: Format) -> str:
    """`text`, perhaps translated, with each value as `show` formats it."""
    if not values:
        return text
    return text % {name: show(value) for name, value in values.items()}


def _kept(value: object) -> Value:
    if isinstance(value, Enum):  # a word that catalogues may know
        return Sentence(str(value))
    return value if isinstance(value, Value) else str(value)


def in_english(value: Value) -> object:
    if isinstance(value, Size):
        return format_size(value)
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, timedelta):
        return span(value)
    if isinstance(value, Cron):
        return CronSim(value, datetime(2026, 1, 1, tzinfo=UTC)).explain()
    return value


def store(text: str, longest: int) -> str:
    """What a row keeps of a sentence or of plain text: at most `longest` characters."""
    if not isinstance(text, Sentence):
        plain = str(text)[:longest]
        return plain if not plain.startswith(_MARK) else store(Sentence(plain), longest)
    stored = json.dumps(
        {"say": text.text, "values": {name: _encoded(one) for name, one in text.values.items()}},
        ensure_ascii=False,
    )
    # a sentence is not cut in the middle of its values: what is too long stays English
    return stored if len(stored) <= longest else store(str(text), longest)


def load(stored: str) -> str:
    """What was stored: a sentence, or the plain text of a former version or another program."""
    if isinstance(stored, Sentence) or not stored.startswith(_MARK):
        return stored
    try:
        found = json.loads(stored)
        if found["values"] and _UNKNOWN.search(_PLACEHOLDER.sub("", found["say"])):
            return stored
        return Sentence(found["say"], {k: _decoded(v) for k, v in found["values"].items()})
    except (ValueError, KeyError, TypeError, AttributeError):
        return stored


def _encoded(value: Value) -> object:  # noqa: PLR0911 - one for each kind of value
    if isinstance(value, Sentence):
        values = {k: _encoded(v) for k, v in value.values.items()}
        return {"inside" if isinstance(value, Inside) else "say": value.text, "values": values}
    if isinstance(value, Cron):
        return {"cron": str(value)}
    if isinstance(value, Size):
        return {"bytes": int(value)}
    if isinstance(value, datetime):
        return {"at": value.astimezone(UTC).isoformat()}
    if isinstance(value, date):
        return {"on": value.isoformat()}
    if isinstance(value, timedelta):
        return {"seconds": value.total_seconds()}
    if isinstance(value, int | float | None):
        return value
    return str(value)


def _decoded(value: Any) -> Value:  # noqa: ANN401, PLR0911 - JSON
    match value:
        case {"say": str(text), "values": dict(values)}:
            return Sentence(text, {k: _decoded(v) for k, v in values.items()})
        case {"inside": str(text), "values": dict(values)}:
            return Inside(text, {k: _decoded(v) for k, v in values.items()})
        case {"cron": str(cron)}:
            return Cron(cron)
        case {"bytes": int(size)}:
            return Size(size)
        case {"at": str(at)}:
            return datetime.fromisoformat(at)
        case {"on": str(on)}:
            return date.fromisoformat(on)
        case {"seconds": int(seconds) | float(seconds)}:
            return timedelta(seconds=seconds)
        case str() | int() | float() | None:
            return value
    raise ValueError(f"{value!r} is not a value of a sentence")
