"""Sentences in the language of their reader, with values as that language writes them."""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo

from hive.catalogues import DEFAULT, catalogue
from hive.kinds import Language
from hive.sentences import Cron, Inside, Sentence, Size, Value, fill, in_english, small


def translate(text: str, language: str, zone: tzinfo | None = None) -> str:
    """A sentence in `language`, times in `zone` or UTC; plain text where a catalogue knows it."""
    if not text:
        return text
    if not isinstance(text, Sentence):
        return catalogue(language).gettext(text)

    def show(value: Value) -> object:
        return in_words(value, language, zone)

    return fill(catalogue(language).gettext(text.text), text.values, show)


def load_languages() -> None:
    """Read the catalogue and the formats of every language: that takes too long in an event loop.

    The server calls this in a thread before its first text; commands speak English and do not.
    """
    values = {"size": Size(0), "span": timedelta(days=1)}
    for language in Language:
        translate(Sentence("%(size)s, %(span)s", values), language)


def in_words(value: Value, language: str, zone: tzinfo | None = None) -> object:  # noqa: PLR0911 - one for each kind of value
    """One value of a sentence, as its readers write it."""
    from hive import localized  # noqa: PLC0415 - it loads Babel, and commands speak English

    match value:
        case Inside():
            return small(translate(value, language, zone))
        case Sentence():
            return translate(value, language, zone)
        case Cron():
            if language == DEFAULT:
                return in_english(value)
            text = catalogue(language).gettext("By the cron expression %(cron)s")
            return text % {"cron": str(value)}
        case Size():
            return localized.size(value, language)
        case datetime():
            return localized.moment(value, language, zone)
        case date():
            return localized.day(value, language)
        case timedelta():
            return (
                in_english(value)
                if language == DEFAULT
                else localized.span_in_days(value, language)
            )
    return value
