"""Sentences in the language of their reader, with values as that language writes them."""

from __future__ import annotations

import gettext as library
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import cache
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.dates import format_date, format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from hive.formats import format_size
from hive.kinds import Language
from hive.sentences import Cron, Sentence, Size, Value, fill, in_english

LOCALES = Path(__file__).parent / "locales"
DEFAULT = Language.ENGLISH
# The functions and errors whose first argument is a text that readers see.
KEYWORDS = (
    *("N_", "say"),
    *("AccessRefused", "Conflict", "DatabaseError", "DatabaseFull", "DeliveryFailed", "Forbidden"),
    *("InvalidInput", "NotFound", "OutgoingFailed", "Sealed", "StorageError", "TooMany"),
    *("Unavailable",),
)
_STEPS = (365 * 86_400, 30 * 86_400, 7 * 86_400, 86_400, 3_600, 60)


@cache
def catalogue(language: str) -> library.NullTranslations:
    """The translations of a language, from its .po file: there is no second file to be stale."""
    path = LOCALES / language / "LC_MESSAGES" / "messages.po"
    if not path.exists():
        return library.NullTranslations()
    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return library.GNUTranslations(compiled)


def translate(text: str, language: str, zone: tzinfo | None = None) -> str:
    """A sentence in `language`, times in `zone` or UTC; plain text where a catalogue knows it."""
    if not text:
        return text
    if not isinstance(text, Sentence):
        return catalogue(language).gettext(text)

    def show(value: Value) -> object:
        return in_words(value, language, zone)

    return fill(catalogue(language).gettext(text.text), text.values, show)


def in_words(value: Value, language: str, zone: tzinfo | None = None) -> object:  # noqa: PLR0911 - one for each kind of value
    """One value of a sentence, as its readers write it."""
    match value:
        case Sentence():
            return translate(value, language, zone)
        case Cron():
            if language == DEFAULT:
                return in_english(value)
            text = catalogue(language).gettext("By the cron expression %(cron)s")
            return text % {"cron": str(value)}
        case Size():
            return size(value, language)
        case datetime():
            return moment(value, language, zone)
        case date():
            return format_date(value, _date_pattern(language), locale=language)
        case timedelta():
            return span(value, language)
    return value


def size(count: int, language: str) -> str:
    """8.33 TB, in German 8,33 TB."""
    number, unit = format_size(count).split()
    return f"{format_decimal(Decimal(number), format=_pattern(number), locale=language)} {unit}"


def _pattern(number: str) -> str:
    return "0.00" if "." in number else "0"


def moment(at: datetime, language: str, zone: tzinfo | None = None) -> str:
    """2026-11-30 14:05 UTC, in German 30.11.2026 14:05 UTC; without UTC where a zone is given."""
    local = at.astimezone(zone or UTC)
    suffix = "" if zone is not None else " UTC"
    return f"{format_date(local, _date_pattern(language), locale=language)} {local:%H:%M}{suffix}"


def _date_pattern(language: str) -> str:
    return "yyyy-MM-dd" if language == DEFAULT else "dd.MM.yyyy"


def span(length: timedelta, language: str) -> str:
    """A span in its largest unit, rounded down: '3 minutes', '2 weeks'."""
    if length < timedelta(minutes=1):
        return catalogue(language).gettext("less than a minute")
    return format_timedelta(whole(length), threshold=1, locale=Locale.parse(language))


def whole(length: timedelta) -> timedelta:
    """Rounded down to the largest unit in it: 59 minutes and a half are not an hour yet."""
    seconds = int(length.total_seconds())
    step = next((step for step in _STEPS if seconds >= step), 1)
    return timedelta(seconds=seconds - seconds % step)


if __name__ == "__main__":  # for script/translate
    print(*(f"-k {name}" for name in KEYWORDS))  # noqa: T201
