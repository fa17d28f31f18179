"""When the server was off, and when it is going to be."""

from __future__ import annotations

from tortoise import fields

from hive.models.fields import MomentField
from hive.models.table import Table


# The one row that says when the scheduler was last alive.
class Pulse(Table):
    id = fields.IntField(primary_key=True)
    at = MomentField()

    class Meta:
        table = "pulse"


# A time in which no backup could be expected: the server was off, or maintenance was announced.
class Downtime(Table):
    id = fields.IntField(primary_key=True)
    begun_at = MomentField()
    ended_at = MomentField(db_index=True)  # of maintenance: when it is going to end
    announced_by = fields.CharField(max_length=150, null=True)  # null: the server was off

    class Meta:
        table = "downtime"
