"""Repositories, with whom they are shared, and what was kept of them."""

from __future__ import annotations

from tortoise import fields

from hive.kinds import (
    Access,
    Health,
    Mode,
    RollbackState,
    ScheduleKind,
    ShareLevel,
    TrashReason,
)
from hive.models.accounts import Group, User
from hive.models.fields import MomentField
from hive.models.locations import Location
from hive.models.table import Table


class Repository(Table):
    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=100)  # what people read; may change
    directory = fields.CharField(max_length=100)  # the name on disk and in URLs; never changes
    login = fields.CharField(max_length=32, unique=True)
    location: fields.ForeignKeyRelation[Location] = fields.ForeignKeyField(
        "hive.Location", related_name="repositories", on_delete=fields.RESTRICT
    )
    owner: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "hive.User", related_name="repositories", on_delete=fields.RESTRICT
    )
    mode = fields.CharEnumField(Mode, description="Mode", max_length=10, default=Mode.BORG)
    quota_bytes = fields.BigIntField(null=True)
    size_bytes = fields.BigIntField(null=True)
    # What counts against quotas: everything on disk, staged imports and what one replaced included.
    occupied_bytes = fields.BigIntField(null=True)
    # The folder that the last import came in (rsync without a slash at the end of the source).
    import_folder = fields.CharField(max_length=255, null=True)
    initialized_at = MomentField(null=True)  # when a repository was first seen on disk
    # When the content was seen to be gone; a backup from before is none any more.
    emptied_at = MomentField(null=True)
    # What borg.repository.snapshot last saw; another state on disk is a change past the gate.
    known_state = fields.CharField(max_length=64, null=True)
    # When its content was found gone without a session of ours that deleted it.
    vanished_at = MomentField(null=True)
    last_backup_at = MomentField(null=True)
    # The time was read off the disk: no session made that backup.
    last_backup_is_estimated = fields.BooleanField(default=False, db_default=False)
    # When something was written past the gate that may have been a backup, and nothing proves it.
    maybe_backup_at = MomentField(null=True)
    last_access_at = MomentField(null=True)
    # Why sessions are refused just now (an import is being verified, ...); None: they are not.
    maintenance = fields.CharField(max_length=200, null=True)
    # Whether only the path in its URL opens it; False from before there was that rule.
    strict_paths = fields.BooleanField(default=True, db_default=False)
    created_at = MomentField()
    deleted_at = MomentField(null=True)
    schedule_kind = fields.CharEnumField(
        ScheduleKind,
        description="ScheduleKind",
        max_length=10,
        default=ScheduleKind.NONE,
        db_default="none",
    )
    schedule_seconds = fields.IntField(null=True)  # of an interval
    schedule_cron = fields.CharField(max_length=100, null=True)
    schedule_timezone = fields.CharField(max_length=64, null=True)
    grace_seconds = fields.IntField(null=True)  # None: as the settings say
    health = fields.CharEnumField(
        Health, description="Health", max_length=10, default=Health.NEW, db_default="new"
    )
    health_since = MomentField(null=True)
    due_at = MomentField(null=True)  # when the next backup is late
    look_at = MomentField(null=True)  # when health may change next
    # While a backup is missing: when one is due once more.
    missing_at = MomentField(null=True)
    # The last session, where it ended and not well.
    failed_session_id = fields.IntField(null=True)
    # Whether `BackupDay` has its history; False from before there was that table.
    days_known = fields.BooleanField(default=True, db_default=False)
    alerted_at = MomentField(null=True)  # when this trouble was first told
    remind_at = MomentField(null=True)
    acknowledged_at = MomentField(null=True)
    acknowledged_by = fields.CharField(max_length=150, null=True)
    muted_until = MomentField(null=True)
    paused_until = MomentField(null=True)

    class Meta:
        table = "repository"
        indexes = (
            ("owner_id", "directory"),
            ("deleted_at", "owner_id"),
            ("deleted_at", "look_at"),
            ("deleted_at", "missing_at"),
            ("look_at",),
            ("health",),
            ("failed_session_id",),
        )

    owner_id: int
    location_id: int


class RepositoryShare(Table):
    id = fields.IntField(primary_key=True)
    repository: fields.ForeignKeyRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="shares", on_delete=fields.CASCADE
    )
    group: fields.ForeignKeyRelation[Group] = fields.ForeignKeyField(
        "hive.Group", related_name="repository_shares", on_delete=fields.CASCADE
    )
    level = fields.CharEnumField(
        ShareLevel, description="ShareLevel", max_length=10, default=ShareLevel.MANAGE
    )
    expires_at = MomentField(null=True)

    class Meta:
        table = "repository_share"
        unique_together = (("repository", "group"),)

    repository_id: int
    group_id: int


# A word that people give to repositories, to find them and to make rules for them.
class RepositoryTag(Table):
    id = fields.IntField(primary_key=True)
    repository: fields.ForeignKeyRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="tags", on_delete=fields.CASCADE
    )
    tag = fields.CharField(max_length=50, db_index=True)

    class Meta:
        table = "repository_tag"
        unique_together = (("repository", "tag"),)

    repository_id: int


# One change of a repository's health; rows are only ever added.
class HealthChange(Table):
    id = fields.IntField(primary_key=True)
    repository: fields.ForeignKeyRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="health_changes", on_delete=fields.CASCADE
    )
    at = MomentField()
    former = fields.CharEnumField(Health, description="Health", max_length=10)
    health = fields.CharEnumField(Health, description="Health", max_length=10)
    lasted_seconds = fields.BigIntField(null=True)  # how long the former one lasted

    class Meta:
        table = "health_change"
        indexes = (("repository_id", "at"),)

    repository_id: int


# What became of the backups of one repository on one day of UTC, for strips of days. Each column
# but `day` has one bit for each half hour, so that readers in any time zone get their own days.
class BackupDay(Table):
    id = fields.IntField(primary_key=True)
    repository: fields.ForeignKeyRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="backup_days", on_delete=fields.CASCADE
    )
    day = fields.IntField()  # as date.toordinal counts
    made = fields.BigIntField(default=0)  # a backup ended
    late = fields.BigIntField(default=0)  # a backup ended after it was due
    due = fields.BigIntField(default=0)  # one was due and not there
    failed = fields.BigIntField(default=0)  # a session that wrote ended, and not well

    class Meta:
        table = "backup_day"
        unique_together = (("repository", "day"),)
        indexes = (("day",),)

    repository_id: int


# A copy of a repository's `config` (it holds the repokey), taken when a session changed it.
class ConfigVersion(Table):
    id = fields.IntField(primary_key=True)
    repository: fields.ForeignKeyRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="config_versions", on_delete=fields.CASCADE
    )
    sha256 = fields.CharField(max_length=64)
    content = fields.BinaryField()
    session_id = fields.IntField(null=True)
    # Of the session that wrote it; null: the server itself, or not known.
    access = fields.CharEnumField(Access, description="Access", max_length=20, null=True)
    created_at = MomentField()

    class Meta:
        table = "config_version"
        indexes = (("repository_id", "created_at"),)

    repository_id: int


# A path by which a machine opened a repository and which will be refused some day.
class FormerPath(Table):
    id = fields.IntField(primary_key=True)
    repository: fields.ForeignKeyRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="former_paths", on_delete=fields.CASCADE
    )
    path = fields.CharField(max_length=500)
    key_name = fields.CharField(max_length=150)
    key_fingerprint = fields.CharField(max_length=64)
    peer = fields.CharField(max_length=64)
    uses = fields.IntField(default=1)
    last_used_at = MomentField()

    class Meta:
        table = "former_path"
        indexes = (("repository_id", "last_used_at"),)

    repository_id: int


# A directory that was moved to the trash of its storage root.
class TrashEntry(Table):
    id = fields.IntField(primary_key=True)
    repository: fields.ForeignKeyRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="trash_entries", on_delete=fields.CASCADE
    )
    root = fields.CharField(max_length=4096)
    path = fields.CharField(max_length=4096)
    reason = fields.CharEnumField(TrashReason, description="TrashReason", max_length=40)
    created_at = MomentField()

    class Meta:
        table = "trash_entry"

    repository_id: int


# Going back to an earlier transaction: written before the first file moves, so that the next start
# after a crash knows what to complete.
class Rollback(Table):
    id = fields.IntField(primary_key=True)
    repository: fields.ForeignKeyRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="rollbacks", on_delete=fields.CASCADE
    )
    state = fields.CharEnumField(RollbackState, description="RollbackState", max_length=20)
    target = fields.BigIntField()  # the transaction that is the last one afterwards
    former = fields.BigIntField()  # the one that was the last before
    worker = fields.CharField(max_length=64)  # the process that is at it
    actor = fields.CharField(max_length=150)
    root = fields.CharField(max_length=4096)
    path = fields.CharField(max_length=4096)  # of what was replaced, in the trash
    begun_at = MomentField()
    ended_at = MomentField(null=True)

    class Meta:
        table = "rollback"
        indexes = (("repository_id", "state"),)

    repository_id: int
