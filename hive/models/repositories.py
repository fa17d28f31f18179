"""Repositories, with whom they are shared, and what was kept of them."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from hive.kinds import Mode, ShareLevel, TrashReason
from hive.models.accounts import Group, User
from hive.models.locations import Location


class Repository(Model):
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
    initialized_at = fields.DatetimeField(null=True)  # when a repository was first seen on disk
    # What borg.repository.snapshot last saw; another state on disk is a change past the gate.
    known_state = fields.CharField(max_length=64, null=True)
    last_backup_at = fields.DatetimeField(null=True)
    last_access_at = fields.DatetimeField(null=True)
    # Why sessions are refused just now (an import is being verified, ...); None: they are not.
    maintenance = fields.CharField(max_length=200, null=True)
    created_at = fields.DatetimeField()
    deleted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "repository"
        indexes = (("owner_id", "directory"),)

    owner_id: int
    location_id: int


class RepositoryShare(Model):
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

    class Meta:
        table = "repository_share"
        unique_together = (("repository", "group"),)

    repository_id: int
    group_id: int


# A copy of a repository's `config` (it holds the repokey), taken when a session changed it.
class ConfigVersion(Model):
    id = fields.IntField(primary_key=True)
    repository: fields.ForeignKeyRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="config_versions", on_delete=fields.CASCADE
    )
    sha256 = fields.CharField(max_length=64)
    content = fields.BinaryField()
    session_id = fields.IntField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "config_version"
        indexes = (("repository_id", "created_at"),)

    repository_id: int


# A directory that was moved to the trash of its storage root.
class TrashEntry(Model):
    id = fields.IntField(primary_key=True)
    repository: fields.ForeignKeyRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="trash_entries", on_delete=fields.CASCADE
    )
    root = fields.CharField(max_length=4096)
    path = fields.CharField(max_length=4096)
    reason = fields.CharEnumField(TrashReason, description="TrashReason", max_length=40)
    created_at = fields.DatetimeField()

    class Meta:
        table = "trash_entry"

    repository_id: int
