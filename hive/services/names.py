"""What names may look like, and how people refer to things."""

from __future__ import annotations

import re

from hive.errors import InvalidInput

REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
LOGIN = re.compile(r"[a-z0-9]{1,32}")
ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._+-]{0,149}")
_TITLE_MAX = 150


def check_repository(name: str) -> str:
    if not REPOSITORY.fullmatch(name):
        raise InvalidInput(
            "A repository's name begins with a letter or digit and goes on with letters, digits,"
            " '.', '_' or '-', 100 characters at most.",
            field="name",
        )
    return name


def check_account(name: str, what: str) -> str:
    """The name of a user, a group or a location."""
    if not ACCOUNT.fullmatch(name):
        raise InvalidInput(
            "The name of a %(what)s begins with a letter or digit and goes on with letters,"
            " digits and any of @ . _ + -, 150 characters at most, no blanks.",
            field="name",
            what=what,
        )
    return name


def check_title(name: str, what: str) -> str:
    """A name for people only: anything that can be printed on one line."""
    text = " ".join(name.split())
    # No '/': bob's key "alice/laptop" would be found in place of alice's key "laptop".
    if not text or len(text) > _TITLE_MAX or not text.isprintable() or "/" in text:
        raise InvalidInput(
            "The name of a %(what)s has 1 to %(title_max)s printable characters, and no '/'.",
            field="name",
            what=what,
            title_max=_TITLE_MAX,
        )
    return text


def as_id(reference: str) -> int | None:
    """The id that the reference is, if it is one: a number that fits the database."""
    if reference.isascii() and reference.isdigit() and len(reference) < 10:
        return int(reference)
    return None
