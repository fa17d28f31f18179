"""States of repositories as commands show them and as their options take them."""

from __future__ import annotations

from hive.services.health.states import COUNTED, Condition

_NAMES = {Condition.RUNNING: "backing up", Condition.UNWATCHED: "not watched"}
# What --state takes: the words that are shown, as one word each.
STATES = {
    **{one.value: one for one in COUNTED if one not in _NAMES},
    **{_NAMES[one].replace(" ", "-"): one for one in _NAMES},
}
_SPELLED = {"unwatched": Condition.UNWATCHED}  # as JSON has it


def condition_word(condition: Condition) -> str:
    """Return 'not watched' for UNWATCHED."""
    return _NAMES.get(condition, condition.value)


def condition_named(word: str) -> Condition:
    """What a word of --state stands for; KeyError for one that stands for nothing."""
    return (STATES | _SPELLED)[word]
