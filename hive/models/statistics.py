"""What was measured of repositories, and the alarms that last."""

from __future__ import annotations

from typing import Any

from tortoise import fields

from hive.kinds import EventKind
from hive.models.fields import MomentField, SentenceField
from hive.models.repositories import Repository
from hive.models.table import Table


# Sizes at one time; thinned out as they age.
class Statistic(Table):
    id = fields.IntField(primary_key=True)
    repository: fields.ForeignKeyRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="statistics", on_delete=fields.CASCADE
    )
    at = MomentField()
    size_bytes = fields.BigIntField()
    live_bytes = fields.BigIntField(null=True)
    reclaimable_bytes = fields.BigIntField(null=True)
    segments = fields.IntField(null=True)

    class Meta:
        table = "statistic"
        indexes = (("repository_id", "at"),)

    repository_id: int


# What the last look at a repository's disk told; one row a repository.
class Inspection(Table):
    id = fields.IntField(primary_key=True)
    repository: fields.OneToOneRelation[Repository] = fields.OneToOneField(
        "hive.Repository", related_name="inspection", on_delete=fields.CASCADE
    )
    at = MomentField(null=True)  # of the last look that succeeded
    kind = fields.CharField(max_length=10, null=True)
    version = fields.IntField(null=True)
    borg_id = fields.CharField(max_length=100, null=True)
    encryption = fields.CharField(max_length=20, null=True)
    append_only = fields.BooleanField(null=True)
    config_quota_bytes = fields.BigIntField(null=True)
    transaction = fields.BigIntField(null=True)
    state = fields.CharField(max_length=100, default="")
    size_bytes = fields.BigIntField(null=True)
    quota_use_bytes = fields.BigIntField(null=True)
    live_bytes = fields.BigIntField(null=True)
    reclaimable_bytes = fields.BigIntField(null=True)
    objects = fields.BigIntField(null=True)  # of borg 1
    growth_bytes_per_week = fields.BigIntField(null=True)
    # why looking at it fails
    problem: fields.Field[str | None] = SentenceField(  # type: ignore[assignment]
        max_length=500, null=True
    )
    problem_since = MomentField(null=True)
    # A whole check of the repository's segments, which may have taken several turns.
    check_begun_at = MomentField(null=True)
    checked_at = MomentField(null=True)  # of the last whole check, good or bad
    check_error = fields.TextField(null=True)  # what that found; null: nothing wrong
    compacted_at = MomentField(null=True)  # by the server, or by a full key

    class Meta:
        table = "inspection"

    repository_id: int


# A condition that lasts and was reported; the row goes with the condition. One that a person has to
# answer stays forever: open until it is answered, then for the record.
class Alarm(Table):
    id = fields.IntField(primary_key=True)
    repository: fields.ForeignKeyNullableRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="alarms", on_delete=fields.CASCADE, null=True
    )
    # what it is about where that is no repository: a storage root, or as server_alarms names it
    subject = fields.CharField(max_length=4096, default="")
    kind = fields.CharEnumField(EventKind, description="EventKind", max_length=40)
    level = fields.IntField()
    message = SentenceField(max_length=1000)
    details: fields.Field[dict[str, Any]] = fields.JSONField(default=dict)
    since = MomentField()
    count = fields.IntField(default=1, db_default=1)  # how often it happened until it is answered
    session_id = fields.IntField(null=True)  # the newest that did it
    answered_at = MomentField(null=True)
    answered_by = fields.CharField(max_length=150, null=True)

    class Meta:
        table = "alarm"
        indexes = (("repository_id", "kind"),)

    repository_id: int | None
