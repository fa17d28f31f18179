"""When a repository raises an alarm, and the upkeep that keeps it well."""

from __future__ import annotations

from pydantic import Field

from hive.config.fields import Section, Whole
from hive.sentences import N_


class AlarmSettings(Section):
    """When something unusual raises an alarm."""

    mass_deletion_percent: Whole = Field(
        50,
        ge=1,
        le=100,
        description=N_(
            "Percentage of a repository's live data that one session may delete without an alarm."
        ),
    )
    shrink_percent: Whole = Field(
        30,
        ge=1,
        le=100,
        description=N_(
            "Percentage by which a repository may shrink without a session that deleted something."
        ),
    )
    lock_hours: Whole = Field(
        24,
        ge=1,
        description=N_("Hours after which a lock counts as stale, independent of its holder."),
    )
    refusals_per_hour: Whole = Field(
        20,
        ge=1,
        description=N_("Number of refusals at one repository within an hour that raises an alarm."),
    )


class UpkeepSettings(Section):
    """Checks and compactions that the server runs while nobody uses a repository."""

    check_days: Whole = Field(
        30,
        ge=0,
        description=N_("Days after which a repository is checked again; 0: only on request."),
    )
    compact_days: Whole = Field(
        0,
        ge=0,
        description=N_(
            "Days after which a repository of borg 1 is compacted again; 0: only on "
            "request. What an append-only key has deleted is kept in any case."
        ),
    )
    minutes_a_day: Whole = Field(
        60,
        ge=1,
        description=N_(
            "Minutes a day that a scheduled check or compaction of one repository may "
            "take; it continues the next day."
        ),
    )
    idle_minutes: Whole = Field(
        10,
        ge=0,
        description=N_("Minutes without a session after which a repository counts as idle."),
    )


class ScheduleSettings(Section):
    """When an expected backup counts as missing."""

    default_grace_minutes: Whole = Field(
        6 * 60,
        ge=0,
        le=366 * 24 * 60,
        description=N_(
            "Minutes after a backup was due until its repository is down, unless the "
            "repository sets its own grace."
        ),
    )
    running_hours: Whole = Field(
        48,
        ge=0,
        description=N_(
            "Hours for which a running session keeps its repository from going down: it"
            " may be the missing backup."
        ),
    )
