"""Imports the ORM faster; `hive.services` and `hive.models` import this before anything else.

The ORM parses the source of each class of a table for comments. Our tables say that they have none
(hive/models/table.py). Its own base class does not say so: parsing it takes more than 30 ms, a
tenth of a short command, and finds nothing. The ORM has no setting for that, so its source is
hidden while it is imported. Python 3.13 finds a class without parsing: drop this with Python 3.12.

It also compiles patterns over all letters that there are, for kinds of fields that our tables do
not have, and imports anyio for a function that we do not call. Each takes another 20 ms, and is
put off until somebody uses it, which nobody does.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any

_LAST_LETTER = "\uffff"  # in those patterns, and in no other


class _Unused:
    """Something that is made when something of it is used."""

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever it is
        return getattr(self._make(), name)


@contextmanager
def _quickly() -> Iterator[None]:
    getsource, compile_ = inspect.getsource, re.compile

    def no_source(object: object) -> str:  # noqa: A002 - as inspect has it
        raise OSError  # as inspect does if there is no source; the ORM expects that

    def compile_small(pattern: Any, flags: Any = 0) -> Any:  # noqa: ANN401 - as re has it
        if isinstance(pattern, str) and _LAST_LETTER in pattern:
            return _Unused(partial(compile_, pattern, flags))
        return compile_(pattern, flags)

    anyio = ModuleType("anyio")
    anyio.from_thread = _Unused(partial(importlib.import_module, "anyio.from_thread"))  # type: ignore[attr-defined]
    inspect.getsource, re.compile = no_source, compile_small
    sys.modules.setdefault("anyio", anyio)
    try:
        yield
    finally:
        inspect.getsource, re.compile = getsource, compile_
        if sys.modules["anyio"] is anyio:
            del sys.modules["anyio"]


with _quickly():
    import tortoise.models  # noqa: F401 - this is what the file is for
