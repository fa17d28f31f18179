"""Imports the ORM faster; whatever imports it first in a command has to import this before it.

The ORM parses the source of each class of a table for comments. Our tables say that they have none
(hive/models/table.py). Its own base class does not say so: parsing it takes more than 30 ms, a
tenth of a short command, and finds nothing. The ORM has no setting for that, so its source is
hidden while it is imported. Python 3.13 finds a class without parsing: drop this with Python 3.12.
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
