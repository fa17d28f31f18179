"""Imports the ORM faster; `hive.services` and `hive.models` import this before anything else.

The ORM parses the source of each class of a table for comments. Our tables say that they have none
(hive/models/table.py). Its own base class does not say so: parsing it takes more than 30 ms, a
tenth of a short command, and finds nothing. The ORM has no setting for that, so its source is
hidden while it is imported. Python 3.13 finds a class without parsing: drop this with Python 3.12.

It also compiles patterns for the addresses of pages and mails with all letters that there are, for
kinds of fields that our tables do not have. That takes another 20 ms, and is put off for ever.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

_LAST_LETTER = "\uffff"  # in those patterns, and in no other


def _no_source(object: object) -> str:  # noqa: A002 - as inspect has it
    raise OSError  # as inspect does where there is no source, which the ORM expects


class _Pattern:
    """A pattern that is compiled when it is used."""

    def __init__(self, *given: Any) -> None:  # noqa: ANN401 - as re has it
        self._given = given

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(_compile(*self._given), name)


def _compile_soon(pattern: Any, flags: Any = 0) -> Any:  # noqa: ANN401
    is_large = isinstance(pattern, str) and _LAST_LETTER in pattern
    return _Pattern(pattern, flags) if is_large else _compile(pattern, flags)


_getsource, _compile = inspect.getsource, re.compile
inspect.getsource, re.compile = _no_source, _compile_soon  # type: ignore[assignment]
try:
    import tortoise.models  # noqa: F401 - this is what the file is for
finally:
    inspect.getsource, re.compile = _getsource, _compile
