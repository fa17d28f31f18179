"""How a repository is, all things considered: one state, its worst. Everybody asks here.

critical     something happened to it, and no person has answered yet
unknown      nothing can be said: its storage is not there, the clock has jumped, ...
down, late   by its schedule
fine         it has a schedule, kept it, and nothing of the above
unwatched    it has no schedule
new          no backup yet, and the first one is not due
paused       a person said that none is expected for a while
"""

from __future__ import annotations

from enum import StrEnum

from hive.kinds import Health, State


class Condition(StrEnum):
    """What is shown of a repository, in the order of how much it wants to be looked at."""

    CRITICAL = "critical"
    UNKNOWN = "unknown"
    DOWN = "down"
    LATE = "late"
    BUSY = "busy"  # sessions are refused for a while
    RUNNING = "running"  # a session that may be a backup
    UNWATCHED = "unwatched"
    NEW = "new"
    PAUSED = "paused"
    FINE = "fine"
    DELETED = "deleted"


# The order in which they are counted.
COUNTED = (
    Condition.CRITICAL,
    Condition.UNKNOWN,
    Condition.DOWN,
    Condition.LATE,
    Condition.BUSY,
    Condition.RUNNING,
    Condition.FINE,
    Condition.UNWATCHED,
    Condition.NEW,
    Condition.PAUSED,
)
# What a person should look at before anything else.
BAD = (State.CRITICAL, State.UNKNOWN, State.DOWN, State.LATE)


def state_of(health: Health, *, is_critical: bool, unknown: str) -> State:
    """`unknown`: why nothing can be said of it, empty where something can."""
    if is_critical:
        return State.CRITICAL
    return State.UNKNOWN if unknown else State(health)


def condition_of(
    state: State, maintenance: str | None, *, is_backing_up: bool, is_deleted: bool = False
) -> Condition:
    """`is_backing_up`: a session that may be a backup."""
    if is_deleted:
        return Condition.DELETED
    # A backup that is missing is missing also while the next one runs.
    if state in BAD:
        return Condition(state)
    if maintenance:
        return Condition.BUSY
    return Condition.RUNNING if is_backing_up else Condition(state)
