"""What the server does again and again, and what its own borg does to repositories."""

from __future__ import annotations

from typing import Any

from tortoise import fields

from hive.kinds import UpkeepKind, UpkeepState
from hive.models.fields import LongSentenceField, MomentField
from hive.models.repositories import Repository
from hive.models.table import Table


# A job of the scheduler: when it comes next, and how its last time ended.
class Job(Table):
    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=60, unique=True)
    next_at = MomentField()
    started_at = MomentField(null=True)
    ended_at = MomentField(null=True)  # null while it runs
    succeeded_at = MomentField(null=True)
    error: fields.Field[str | None] = LongSentenceField(null=True)  # type: ignore[assignment]

    class Meta:
        table = "job"


# A check or a compaction by the server's own borg, from being wanted to its end.
class Upkeep(Table):
    id = fields.IntField(primary_key=True)
    repository: fields.ForeignKeyRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="upkeeps", on_delete=fields.CASCADE
    )
    kind = fields.CharEnumField(UpkeepKind, description="UpkeepKind", max_length=10)
    state = fields.CharEnumField(UpkeepState, description="UpkeepState", max_length=10)
    asked_by = fields.CharField(max_length=150, null=True)  # null: the schedule
    is_confirmed = fields.BooleanField(default=False)  # an administrator knows what is lost
    created_at = MomentField()
    started_at = MomentField(null=True)
    ended_at = MomentField(null=True)
    seconds = fields.IntField(default=0)  # of borg at work, interruptions not counted
    interruptions = fields.IntField(default=0)  # by sessions, which have precedence
    message = LongSentenceField(default="")
    details: fields.Field[dict[str, Any]] = fields.JSONField(default=dict)

    class Meta:
        table = "upkeep"
        indexes = (("repository_id", "kind", "created_at"), ("state",))

    repository_id: int
