"""The reader of a page: language and time zone; and the catalogues that pages speak from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import lru_cache

import jinja2
from markupsafe import Markup

from hive.catalogues import DEFAULT, catalogue
from hive.kinds import Language
from hive.log_text import escape
from hive.sentences import Sentence
from hive.translation import translate

# each by its own name
LANGUAGES: dict[str, str] = {Language.ENGLISH: "English", Language.GERMAN: "Deutsch"}
_MAX_WISHES = 20


@dataclass(frozen=True)
class Reader:
    """Whom a page is made for."""

    language: str = DEFAULT
    zone: tzinfo | None = None  # None: not known here, but the browser knows

    @property
    def shown_zone(self) -> tzinfo:
        return self.zone or UTC


_NOBODY = Reader()
_reader: ContextVar[Reader] = ContextVar("hive_reader", default=_NOBODY)


def reader() -> Reader:
    return _reader.get()


@contextmanager
def reading(who: Reader) -> Iterator[None]:
    """Speak to `who` until the end; `change_reader` changes it on the way."""
    token = _reader.set(who)
    try:
        yield
    finally:
        _reader.reset(token)


def change_reader(who: Reader) -> None:
    _reader.set(who)


def gettext(text: str, /, **values: object) -> str:
    """`text` in the reader's language, with `values` in the place of %(name)s."""
    return catalogue(reader().language).gettext(text) % values


def sentence(text: str) -> str:
    """What a service says, an error or an event, in the reader's language."""
    who = reader()
    return translate(text, who.language, who.zone)


def preferred(accepted: str) -> str:
    """The best language that we speak, of an Accept-Language header."""
    wishes = []
    for part in accepted.split(",")[:_MAX_WISHES]:
        tag, _, parameter = part.partition(";")
        language = tag.strip().partition("-")[0].lower()
        if language in LANGUAGES and (weight := _weight(parameter)) > 0:
            wishes.append((weight, language))
    return max(wishes, key=lambda wish: wish[0], default=(0.0, DEFAULT))[1]


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        return float(value) if name == "q" else 0.0
    except ValueError:
        return 0.0


def install(environment: jinja2.Environment) -> None:
    """Let templates translate; what is put into a translated text is escaped like all else."""
    environment.add_extension("jinja2.ext.i18n")
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # as the extension has it
    environment.policies["ext.i18n.trimmed"] = True
    environment.globals.update(_=_gettext, gettext=_gettext, ngettext=_ngettext)


def _gettext(text: str, /, **values: object) -> Markup:
    if not values:
        return _unfilled(text, reader().language)
    return _filled(catalogue(reader().language).gettext(text), values)


def _ngettext(one: str, many: str, count: int, /, **values: object) -> Markup:
    values.setdefault("num", count)
    return _filled(catalogue(reader().language).ngettext(one, many, count), values)


@lru_cache(maxsize=4096)
def _unfilled(text: str, language: str) -> Markup:
    """A text without values: most of a page, and the same on each."""
    return _filled(catalogue(language).gettext(text), {})


def _filled(text: str, values: dict[str, object]) -> Markup:
    return Markup(text) % {name: harmless(value) for name, value in values.items()}  # noqa: S704 - texts of ours


def harmless(value: object) -> object:
    """A sentence in the reader's language; what turns or hides letters is written as an escape."""
    if isinstance(value, Sentence):
        value = sentence(value)
    return escape(value) if isinstance(value, str) and not isinstance(value, Markup) else value
