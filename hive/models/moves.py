"""Repositories on their way to another location."""

from __future__ import annotations

from tortoise import fields

from hive.kinds import MoveState
from hive.models.fields import LongSentenceField
from hive.models.repositories import Repository
from hive.models.table import Table


# A repository on its way to another location; until it is switched, the former place counts.
class Move(Table):
    id = fields.IntField(primary_key=True)
    repository: fields.ForeignKeyRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="moves", on_delete=fields.CASCADE
    )
    state = fields.CharEnumField(MoveState, description="MoveState", max_length=20)
    target_id = fields.IntField()  # of locations
    target_name = fields.CharField(max_length=100)
    former_id = fields.IntField()
    former_name = fields.CharField(max_length=100)
    former_root = fields.CharField(max_length=4096)  # where the former copy is cleared away
    worker = fields.CharField(max_length=64, default="")  # the process that is at it
    actor = fields.CharField(max_length=150)
    asked_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)
    message = LongSentenceField(default="")

    class Meta:
        table = "move"
        indexes = (("state",), ("repository_id", "asked_at"))

    repository_id: int
