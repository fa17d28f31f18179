"""What happened on the gate."""

from __future__ import annotations

from typing import Any

from tortoise import fields

from hive.kinds import Access, ArchiveCreated, EndReason, EventKind, Mode, Need
from hive.models.fields import MomentField, SentenceField
from hive.models.keys import Key
from hive.models.repositories import Repository
from hive.models.table import Table


# One SSH command from open to close.
class Session(Table):
    id = fields.IntField(primary_key=True)
    repository: fields.ForeignKeyRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="sessions", on_delete=fields.CASCADE
    )
    login = fields.CharField(max_length=32)
    key: fields.ForeignKeyNullableRelation[Key] = fields.ForeignKeyField(
        "hive.Key", related_name="sessions", on_delete=fields.SET_NULL, null=True
    )
    key_fingerprint = fields.CharField(max_length=64)
    key_name = fields.CharField(max_length=150)
    peer = fields.CharField(max_length=64)
    client = fields.CharField(max_length=255, null=True)  # SSH version as the client says it
    borg_version = fields.CharField(max_length=40, null=True)
    command = fields.TextField()  # as sent
    need = fields.CharEnumField(Need, description="Need", max_length=10)
    mode = fields.CharEnumField(Mode, description="Mode", max_length=10)
    access = fields.CharEnumField(Access, description="Access", max_length=20)
    operation = fields.CharField(max_length=40, null=True)
    started_at = MomentField()
    ended_at = MomentField(null=True)
    bytes_in = fields.BigIntField(null=True)
    bytes_out = fields.BigIntField(null=True)
    exit_status = fields.IntField(null=True)
    end_reason = fields.CharEnumField(EndReason, description="EndReason", max_length=20, null=True)
    node = fields.CharField(max_length=255)
    # It was seen to list, mount or check alone: no backup, unless it writes after all.
    only_reads = fields.BooleanField(default=False, db_default=False)
    # The verdict, of borg's sessions only; null: not known.
    archive_created = fields.CharEnumField(
        ArchiveCreated, description="ArchiveCreated", max_length=10, null=True
    )
    bytes_added = fields.BigIntField(null=True)
    bytes_removed = fields.BigIntField(null=True)
    bytes_freed = fields.BigIntField(null=True)
    reclaimable_bytes = fields.BigIntField(null=True)
    error = fields.TextField(null=True)
    observed: fields.Field[dict[str, Any] | None] = fields.JSONField(null=True)
    # The last transactions of borg 1 before and after, and how many objects the latter has.
    transaction_before = fields.BigIntField(null=True)
    transaction_after = fields.BigIntField(null=True)
    objects_after = fields.BigIntField(null=True)
    undone_at = MomentField(null=True)  # by a rollback

    class Meta:
        table = "session"
        indexes = (
            ("repository_id", "started_at"),
            ("ended_at", "repository_id", "bytes_in"),  # what a day received, from this alone
        )

    repository_id: int
    key_id: int | None


# What happened to a repository.
class Event(Table):
    id = fields.IntField(primary_key=True)
    at = MomentField(db_index=True)
    repository: fields.ForeignKeyRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="events", on_delete=fields.CASCADE
    )
    session: fields.ForeignKeyNullableRelation[Session] = fields.ForeignKeyField(
        "hive.Session", related_name="events", on_delete=fields.SET_NULL, null=True
    )
    kind = fields.CharEnumField(EventKind, description="EventKind", max_length=40)
    message = SentenceField(max_length=1000)
    details: fields.Field[dict[str, Any]] = fields.JSONField(default=dict)

    class Meta:
        table = "event"
        indexes = (("repository_id", "at"),)

    repository_id: int
    session_id: int | None
