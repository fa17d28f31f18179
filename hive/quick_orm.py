"""Imports the ORM faster. Whatever imports it early in a command imports this first.

The ORM parses the source of each class of a table for comments; for its own base class that takes
a tenth of the time of a short command, and finds nothing. Ours say that they have no comments
(hive/models/table.py).
"""

from __future__ import annotations

import inspect


def _no_source(object: object) -> str:  # noqa: A002 - as inspect has it
    raise OSError  # as inspect does where there is no source, which the ORM expects


_getsource = inspect.getsource
inspect.getsource = _no_source
try:
    import tortoise.models  # noqa: F401 - this is what the file is for
finally:
    inspect.getsource = _getsource
