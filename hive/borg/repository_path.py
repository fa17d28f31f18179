"""Which repository a path means that a client typed. Pure.

A login holds one repository. NAME is the name of its directory, or the name that people see now:

    ./NAME   ~/NAME   NAME   <any root>/LOGIN/NAME     this repository
    NAME/sub, any/path/NAME/sub                        something below it: there is nothing
    anything else                                      another repository, which is not here

Before paths were held to this rule, nearly any path opened the repository. Repositories of that
time still accept such a path for opening, until their owner ends that.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from hive.sentences import say

_LONGEST_SHOWN: Final = 100


class Meaning(Enum):
    """What a path means: see the table above."""

    RIGHT = "right"
    FORMER = "former"  # wrong, but accepted for opening what is there
    BELOW = "below"
    OTHER = "other"


@dataclass(frozen=True)
class PathRule:
    """`names` are NAME; `others` are names that a former path must not end with."""

    names: frozenset[str]
    login: str
    accepts_former: bool = False
    others: frozenset[str] = frozenset()


def meaning_of(path: str, rule: PathRule) -> Meaning:
    """Return what `path`, as it came from the client, means for the repository of `rule`."""
    parts = [part for part in path.split("/") if part not in {"", "."}]
    is_relative = not path.startswith("/") or path.startswith(("/./", "/~/"))
    if is_relative and parts[:1] == ["~"]:
        del parts[0]
    if parts and parts[-1] in rule.names:
        before = parts[:-1] if is_relative else parts[-2:-1]
        if before == ([] if is_relative else [rule.login]):
            return Meaning.RIGHT
    elif rule.names.intersection(parts):
        return Meaning.BELOW
    if not rule.accepts_former or _names_another(parts, rule):
        return Meaning.OTHER
    return Meaning.FORMER


def refusal(path: str, meaning: Meaning, *, name: str, url: str) -> str:
    """Return the refusal of a path that does not lead to the repository, without a full stop."""
    if meaning is Meaning.BELOW:
        what = say("there is no repository below %(name)s", name=name)
    else:
        what = say("%(path)s is not the repository of this login", path=shown(path))
    return say(
        "%(what)s. One login holds one repository, here %(name)s: use %(url)s. "
        "For a second repository, add one on the server: it gets its own login "
        "and URL",
        what=what,
        name=name,
        url=url,
    )


def shown(path: str) -> str:
    """Return a path for people: short, printable, on one line."""
    text = "".join(letter if letter.isprintable() else "?" for letter in path)
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")


def _names_another(parts: list[str], rule: PathRule) -> bool:
    """Tell whether a former path ends with the name of another repository."""
    named = [part for part in parts if part not in {"~", ".."}]
    return bool(named) and named[-1] in rule.others
