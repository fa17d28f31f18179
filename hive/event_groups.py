"""Kinds of events that one looks at together."""

from __future__ import annotations

from enum import StrEnum

from hive.kinds import EventKind


class EventGroup(StrEnum):
    """Kinds of events that one looks at together; `GROUPS` says which."""

    SESSIONS = "sessions"
    CHANGES = "changes"
    RIGHTS = "rights"
    TRANSFERS = "transfers"
    SCHEDULES = "schedules"
    UPKEEP = "upkeep"
    ALARMS = "alarms"


GROUPS: dict[EventGroup, tuple[EventKind, ...]] = {
    EventGroup.SESSIONS: (
        EventKind.REFUSED,
        EventKind.OPENED,
        EventKind.CLOSED,
        EventKind.OPENED_LOCALLY,
        EventKind.CLOSED_LOCALLY,
    ),
    EventGroup.CHANGES: (
        EventKind.CREATED,
        EventKind.UPDATED,
        EventKind.DELETED,
        EventKind.RESTORED,
        EventKind.ROLLED_BACK,
        EventKind.ROLLBACK_STOPPED,
        EventKind.MOVED,
        EventKind.MOVE_FAILED,
        EventKind.CONFIG_CHANGED,
        EventKind.LOCK_REMOVED,
        EventKind.UPDATED_LOCALLY,
        EventKind.MAYBE_BACKUP,
    ),
    EventGroup.RIGHTS: (EventKind.MODE_CHANGED, EventKind.KEY_CHANGED, EventKind.GRANT_CHANGED),
    EventGroup.TRANSFERS: (
        EventKind.IMPORT_BEGUN,
        EventKind.IMPORT_ENDED,
        EventKind.IMPORT_VERIFIED,
        EventKind.IMPORT_REJECTED,
        EventKind.IMPORT_DISCARDED,
        EventKind.EXPORT_BEGUN,
        EventKind.EXPORT_ENDED,
    ),
    EventGroup.SCHEDULES: (
        EventKind.LATE,
        EventKind.DOWN,
        EventKind.STILL_DOWN,
        EventKind.RECOVERED,
        EventKind.PAUSED,
        EventKind.RESUMED,
        EventKind.ACKNOWLEDGED,
        EventKind.MUTED,
        EventKind.SCHEDULE_BROKEN,
        EventKind.TRIGGER_STARTED,
        EventKind.TRIGGER_ENDED,
        EventKind.TRIGGER_FAILED,
        EventKind.TRIGGER_MISSED,
        EventKind.TRIGGER_OVERLAPPED,
    ),
    EventGroup.UPKEEP: (
        EventKind.CHECKED,
        EventKind.COMPACTED,
        EventKind.UPKEEP_FAILED,
        EventKind.UPKEEP_REFUSED,
    ),
    EventGroup.ALARMS: (
        EventKind.SESSION_FAILED,
        EventKind.SMALL_BACKUP,
        EventKind.CLIENT_FAILED,
        EventKind.CLIENT_UNPROVEN,
        EventKind.CLIENT_CONTRADICTED,
        EventKind.REFUSED_OFTEN,
        EventKind.TURNED_AWAY,
        EventKind.MEASURING_FAILED,
        EventKind.MASS_DELETION,
        EventKind.APPEND_ONLY_DELETION,
        EventKind.SHRUNK,
        EventKind.KEY_FIRST_USED,
        EventKind.NEW_NETWORK,
        EventKind.INTEGRITY_ERROR,
        EventKind.CLIENT_DELETED,
        EventKind.CONTENT_GONE,
        EventKind.WENT_BACK,
        EventKind.REPLACED,
        EventKind.CONFIG_SUSPICIOUS,
        EventKind.ALARM_ANSWERED,
        EventKind.STALE_LOCK,
        EventKind.QUOTA_FILLING,
        EventKind.DISK_FILLING,
        EventKind.STORAGE_UNAVAILABLE,
        EventKind.PROGRAM_UNUSABLE,
        EventKind.DATABASE_IN_TROUBLE,
        EventKind.CLOCK_JUMPED,
        EventKind.CHANNEL_FAILING,
        EventKind.ALARM_ENDED,
    ),
}
