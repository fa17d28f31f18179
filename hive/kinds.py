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


class Role(StrEnum):
    """What a user may do beyond what belongs to them: hive/services/permissions.py decides it."""

    MEMBER = "member"
    OPERATOR = "operator"  # runs all backups; administers neither people nor the installation
    AUDITOR = "auditor"  # sees everything, changes nothing
    ADMINISTRATOR = "administrator"


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
    """What a session turned out to be; `hive/borg/verdict.py` decides it."""

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
    WRITE = "write"  # something was written, and it is not known what
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
    ROLLED_BACK = "rolled back"
    ROLLBACK_STOPPED = "rollback not complete"
    MOVED = "moved"
    MOVE_FAILED = "move failed"
    MODE_CHANGED = "mode changed"
    IMPORT_BEGUN = "import begun"
    IMPORT_ENDED = "import ended"
    IMPORT_VERIFIED = "import verified"
    IMPORT_REJECTED = "import rejected"
    IMPORT_DISCARDED = "import discarded"
    EXPORT_BEGUN = "export begun"
    EXPORT_ENDED = "export ended"
    KEY_CHANGED = "key changed"
    GRANT_CHANGED = "grant changed"
    CONFIG_CHANGED = "config changed"
    LOCK_REMOVED = "lock removed"
    OPENED_LOCALLY = "opened locally"  # not through the gate: somebody on the server itself
    UPDATED_LOCALLY = "updated locally"
    CLOSED_LOCALLY = "closed locally"
    MAYBE_BACKUP = "maybe a backup"  # written on the server, and nothing proves it
    # alarms: each is sent once, until its cause is over
    MEASURING_FAILED = "measuring failed"
    MASS_DELETION = "mass deletion"
    APPEND_ONLY_DELETION = "deletion by an append-only key"
    SHRUNK = "repository shrunk"
    KEY_FIRST_USED = "key used for the first time"
    NEW_NETWORK = "key from a new network"
    INTEGRITY_ERROR = "integrity error"
    # what happened to the content, until a person answers: hive/services/alarms/alarms.py
    CLIENT_DELETED = "repository deleted by a client"
    CONTENT_GONE = "content gone"
    WENT_BACK = "repository went back"
    REPLACED = "repository replaced"  # another id or encryption than before
    CONFIG_SUSPICIOUS = "suspicious config change"
    ALARM_ANSWERED = "alarm answered"
    STALE_LOCK = "stale lock"
    QUOTA_FILLING = "quota filling up"
    DISK_FILLING = "disk filling up"
    ALARM_ENDED = "alarm ended"
    REFUSED_OFTEN = "many refusals"
    TURNED_AWAY = "connections turned away"  # before a login, so that no repository is known
    # alarms about the server itself: hive/services/alarms/server_alarms.py
    STORAGE_UNAVAILABLE = "storage unavailable"
    PROGRAM_UNUSABLE = "program unusable"
    DATABASE_IN_TROUBLE = "database in trouble"
    CLOCK_JUMPED = "clock jumped"
    CHANNEL_FAILING = "channel failing"
    # schedules
    LATE = "late"
    DOWN = "down"
    STILL_DOWN = "still down"
    RECOVERED = "recovered"
    PAUSED = "paused"
    RESUMED = "resumed"
    ACKNOWLEDGED = "acknowledged"
    MUTED = "muted"
    SCHEDULE_BROKEN = "schedule broken"  # an alarm: it cannot be read, so nothing is ever late
    # what did not go well
    SESSION_FAILED = "session failed"
    SMALL_BACKUP = "suspiciously small backup"  # an alarm, until a normal one or a person ends it
    CLIENT_FAILED = "client reported a failure"
    CLIENT_UNPROVEN = "client reported success, nothing written"
    CLIENT_CONTRADICTED = "client reported failure, archive written"
    # what the server's own borg did
    CHECKED = "checked"
    COMPACTED = "compacted"
    UPKEEP_FAILED = "upkeep failed"
    UPKEEP_REFUSED = "upkeep refused"
    # backups that the server asks for
    TRIGGER_STARTED = "trigger started"
    TRIGGER_ENDED = "trigger ended"
    TRIGGER_FAILED = "trigger failed"
    TRIGGER_MISSED = "trigger missed"
    TRIGGER_OVERLAPPED = "trigger overlapped"


class AddressRuling(StrEnum):
    """What an administrator has decided about a network."""

    BAN = "ban"
    ALLOW = "allow"


class AddressTrouble(StrEnum):
    """What went wrong with connections from an address, before anybody logged in."""

    TURNED_AWAY = "turned away"
    SLOWED_DOWN = "slowed down"
    BANNED = "banned"  # it tried although it is banned
    NO_COMMON_ALGORITHM = "no common algorithm"


class Severity(StrEnum):
    """How much a notification matters to its reader."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"
    RECOVERY = "recovery"  # what a former message told of is over


class Source(StrEnum):
    """Through which door somebody came."""

    CLI = "cli"
    WEB = "web"
    SSH = "ssh"
    SYSTEM = "system"


class TrashReason(StrEnum):
    DELETED = "deleted"
    REPLACED = "replaced by an import"
    ROLLED_BACK = "undone by a rollback"
    MOVED = "moved to another location"


class MoveState(StrEnum):
    """How far a repository is on its way to another location."""

    COPYING = "copying"  # the former place counts
    CANCELLING = "cancelling"  # what was copied is still to be removed
    CLEARING = "clearing"  # the new one counts; the former copy is still to go to the trash
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"  # nothing was changed


OPEN_MOVES = (MoveState.COPYING, MoveState.CANCELLING, MoveState.CLEARING)


class RollbackState(StrEnum):
    """How far a rollback is: what a killed server was at is completed, or given up."""

    CHECKING = "checking"  # nothing is changed yet
    MOVING = "moving"
    DONE = "done"
    TAKING_BACK = "taking back"
    TAKEN_BACK = "taken back"
    GIVEN_UP = "given up"  # nothing was changed


class ScheduleKind(StrEnum):
    """How often a repository expects a backup."""

    NONE = "none"
    INTERVAL = "interval"
    CRON = "cron"


class Health(StrEnum):
    """Whether the last backup is as recent as the schedule wants it."""

    NEW = "new"  # no backup yet, and none is due yet
    FINE = "fine"
    UNWATCHED = "unwatched"  # there is no schedule to compare with
    LATE = "late"  # due, and the grace is not over
    DOWN = "down"
    PAUSED = "paused"


class State(StrEnum):
    """How a repository is, all things considered: its worst, in the order of their weight."""

    CRITICAL = "critical"  # something happened to it, and nobody has answered yet
    UNKNOWN = "unknown"  # nothing can be said just now
    DOWN = "down"
    LATE = "late"
    FINE = "fine"
    UNWATCHED = "unwatched"
    NEW = "new"
    PAUSED = "paused"


class Rest(StrEnum):
    """What somebody who has rules hears of besides: what none of those rules matches."""

    ALL = "all"  # as if there were no rules
    CRITICAL = "critical"
    NOTHING = "nothing"


class Digest(StrEnum):
    """How often somebody wants to read how everything is."""

    NONE = "none"
    DAILY = "daily"
    WEEKLY = "weekly"


class DeliveryState(StrEnum):
    WAITING = "waiting"  # for its time, or for the next try
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"  # given up: a permanent failure, or too many tries
    DROPPED = "dropped"  # never sent, on purpose: its trouble is over, its channel switched off
    BUNDLED = "bundled"  # part of one message with others


class AttemptOutcome(StrEnum):
    SENT = "sent"
    PASSING = "passing failure"
    PERMANENT = "permanent failure"
    INTERRUPTED = "interrupted"  # the server ended in the middle: nobody knows


class UpkeepKind(StrEnum):
    """What the server's own borg does to a repository."""

    CHECK = "check"
    COMPACT = "compact"


class UpkeepState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"  # its time for today is up: it goes on where it stopped
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"  # an administrator must confirm first
    STOPPED = "stopped"  # somebody no longer wanted it


class TriggerKind(StrEnum):
    """What is called to start a backup."""

    AWX = "awx"
    WEBHOOK = "webhook"
    COMMAND = "command"


class TriggerReason(StrEnum):
    SCHEDULE = "schedule"
    BUTTON = "button"  # of a page
    COMMAND = "command"
    LATE = "late"


class TriggerState(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    MISSED = "missed"  # its time passed while the server was not running
    OVERLAPPED = "overlapped"  # the one before was still running


class RunState(StrEnum):
    """What a client reported about its backup."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNFINISHED = "unfinished"  # its end was never reported


class RunVerdict(StrEnum):
    """What a client said, held against the sessions of the same time."""

    AGREES = "agrees"
    NOTHING_WRITTEN = "nothing written"  # success is claimed, and no archive came
    WRITTEN = "written"  # failure is claimed, and an archive came
    UNKNOWN = "unknown"


class Language(StrEnum):
    """The languages of the pages."""

    ENGLISH = "en"
    GERMAN = "de"


class Theme(StrEnum):
    """The colours of the pages."""

    LIGHT = "light"
    DARK = "dark"
    SYSTEM = "system"  # as the browser's system has it


QUOTA_STEPS = (80, 90, 100)  # percent; an event is recorded when usage reaches one
