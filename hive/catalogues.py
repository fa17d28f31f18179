"""The catalogues of translations: where they are, what goes into them, and each by its language."""

from __future__ import annotations

import gettext as library
from functools import cache
from io import BytesIO
from pathlib import Path

from hive.kinds import Language

LOCALES = Path(__file__).parent / "locales"
DEFAULT = Language.ENGLISH
# The functions and errors whose first argument is a text that readers see.
KEYWORDS = (
    *("N_", "say"),
    *("AccessRefused", "Conflict", "DatabaseError", "DatabaseFull", "DeliveryFailed", "Forbidden"),
    *("InvalidInput", "NotFound", "OutgoingFailed", "Sealed", "StorageError", "TooMany"),
    *("NeedsConfirmation", "Unavailable"),
)


def catalogue(language: str) -> library.NullTranslations:
    """Return the translations of a language, read from its .po file, so that none can be stale."""
    return _read(str(language))  # the cache takes a member of an enum for another key


@cache
def _read(language: str) -> library.NullTranslations:
    path = LOCALES / language / "LC_MESSAGES" / "messages.po"
    if not path.exists():
        return library.NullTranslations()
    from babel.messages.mofile import write_mo  # noqa: PLC0415 - commands speak English
    from babel.messages.pofile import read_po  # noqa: PLC0415

    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return library.GNUTranslations(compiled)


if __name__ == "__main__":  # for script/translate
    print(*(f"-k {name}" for name in KEYWORDS))  # noqa: T201
