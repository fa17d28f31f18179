"""The words of the domain. They are stored: values are never renamed, only added."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Mode(StrEnum):
    """What a repository is open for: borg, or rsync in one direction."""

    BORG = "BORG"
    IMPORT = "IMPORT"
    EXPORT = "EXPORT"


class Access(StrEnum):
    """What a key may do with a repository."""

    FULL = "full"
    APPEND_ONLY = "append-only"
    READ_ONLY = "read-only"


class Need(StrEnum):
    """What a request on the gate wants to do."""

    BORG = "borg"
    IMPORT = "import"
    EXPORT = "export"
    STATUS = "status"


class ShareLevel(StrEnum):
    """What a share lets the members of a group do."""

    VIEW = "view"
    MANAGE = "manage"


class Level(IntEnum):
    """How far somebody's rights on a thing reach, to be compared with `<`."""

    NONE = 0
    VIEW = 1
    MANAGE = 2
    OWN = 3


class RepositoryState(StrEnum):
    NEW = "new"  # nothing on disk yet
    READY = "ready"
    DELETED = "deleted"  # in the trash


class EndReason(StrEnum):
    """Why a session ended."""

    DONE = "done"
    CLIENT_GONE = "client gone"
    KILLED = "killed"
    REVOKED = "revoked"
    REFUSED = "refused"
    FAILED = "failed"
    DRAINED = "server stopped"
    INTERRUPTED = "interrupted"  # the server itself was killed
    QUOTA = "quota exceeded"
    DISK_FULL = "disk full"
    BORG_ERROR = "borg error"  # the server's borg answered an error


class Operation(StrEnum):
    """What a session turned out to be; `hive/borg/verdict.py` says how it is told."""

    INIT = "init"
    CREATE = "create"
    DELETE = "delete"  # of archives, by prune or delete: to the server they are the same
    DELETE_REPOSITORY = "delete repository"
    RENAME = "rename"
    RECREATE = "recreate"
    COMPACT = "compact"
    CHECK = "check"
    REPAIR = "repair"
    READ = "read"  # list, info, extract, mount, diff, export-tar
    KEY_CHANGE = "key change"
    BREAK_LOCK = "break-lock"
    WRITE = "write"  # something was written, and what it was cannot be told
    NOTHING = "nothing"
    IMPORT = "import"
    EXPORT = "export"
    DRY_RUN = "dry run"  # of rsync
    STATUS = "status"
    UNKNOWN = "unknown"


class ArchiveCreated(StrEnum):
    YES = "yes"
    NO = "no"
    PARTIAL = "partial"  # only a checkpoint of an interrupted backup
    UNKNOWN = "unknown"


class EventKind(StrEnum):
    REFUSED = "refused"
    OPENED = "opened"
    CLOSED = "closed"
    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    RESTORED = "restored"
    MODE_CHANGED = "mode changed"
    IMPORT_BEGUN = "import begun"
    IMPORT_ENDED = "import ended"
    IMPORT_VERIFIED = "import verified"
    IMPORT_REJECTED = "import rejected"
    EXPORT_BEGUN = "export begun"
    EXPORT_ENDED = "export ended"
    KEY_CHANGED = "key changed"
    GRANT_CHANGED = "grant changed"
    CONFIG_CHANGED = "config changed"
    LOCK_REMOVED = "lock removed"
    OPENED_LOCALLY = "opened locally"  # not through the gate: somebody on the server itself
    UPDATED_LOCALLY = "updated locally"
    CLOSED_LOCALLY = "closed locally"
    # alarms: each is told once, until what it tells of is over
    MEASURING_FAILED = "measuring failed"
    MASS_DELETION = "mass deletion"
    APPEND_ONLY_DELETION = "deletion by an append-only key"
    SHRUNK = "repository shrunk"
    KEY_FIRST_USED = "key used for the first time"
    NEW_NETWORK = "key from a new network"
    INTEGRITY_ERROR = "integrity error"
    STALE_LOCK = "stale lock"
    QUOTA_FILLING = "quota filling up"
    DISK_FILLING = "disk filling up"
    ALARM_ENDED = "alarm ended"


class EventGroup(StrEnum):
    """Kinds of events that one looks at together; `GROUPS` says which."""

    SESSIONS = "sessions"
    CHANGES = "changes"
    RIGHTS = "rights"
    TRANSFERS = "transfers"
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
        EventKind.CONFIG_CHANGED,
        EventKind.LOCK_REMOVED,
        EventKind.UPDATED_LOCALLY,
    ),
    EventGroup.RIGHTS: (EventKind.MODE_CHANGED, EventKind.KEY_CHANGED, EventKind.GRANT_CHANGED),
    EventGroup.TRANSFERS: (
        EventKind.IMPORT_BEGUN,
        EventKind.IMPORT_ENDED,
        EventKind.IMPORT_VERIFIED,
        EventKind.IMPORT_REJECTED,
        EventKind.EXPORT_BEGUN,
        EventKind.EXPORT_ENDED,
    ),
    EventGroup.ALARMS: (
        EventKind.MEASURING_FAILED,
        EventKind.MASS_DELETION,
        EventKind.APPEND_ONLY_DELETION,
        EventKind.SHRUNK,
        EventKind.KEY_FIRST_USED,
        EventKind.NEW_NETWORK,
        EventKind.INTEGRITY_ERROR,
        EventKind.STALE_LOCK,
        EventKind.QUOTA_FILLING,
        EventKind.DISK_FILLING,
        EventKind.ALARM_ENDED,
    ),
}


class Source(StrEnum):
    """Through which door somebody came."""

    CLI = "cli"
    WEB = "web"
    SSH = "ssh"
    SYSTEM = "system"


class TrashReason(StrEnum):
    DELETED = "deleted"
    REPLACED = "replaced by an import"
