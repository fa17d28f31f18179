"""What another process would not know: a command beside the server, or the next server."""

from __future__ import annotations

from types import ModuleType

from hive import memory
from hive.services import runtime


def forget(*owners: ModuleType) -> None:
    """Go on like a process in which these modules have nothing to remember yet."""
    for owner in owners:
        vars(memory._memory or memory.Memory())["_kept"].pop(vars(owner)["_Memory"], None)


def started() -> runtime.Started:
    """What the services run on, to be changed."""
    return memory.of(runtime.Started)
