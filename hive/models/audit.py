"""Who changed what, and what this installation is."""

from __future__ import annotations

from typing import Any

from tortoise import fields

from hive.kinds import Source
from hive.models.accounts import User
from hive.models.fields import MomentField
from hive.models.table import Table


# One change by a person or by the system; rows are only ever added.
class AuditEntry(Table):
    id = fields.IntField(primary_key=True)
    at = MomentField(db_index=True)
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "hive.User", related_name="audit_entries", on_delete=fields.SET_NULL, null=True
    )
    actor = fields.CharField(max_length=150)
    behind = fields.CharField(max_length=150, null=True)  # who was root, at the command line
    source = fields.CharEnumField(Source, description="Source", max_length=10)
    address = fields.CharField(max_length=64, null=True)
    action = fields.CharField(max_length=60)
    subject = fields.CharField(max_length=300)
    details: fields.Field[dict[str, Any]] = fields.JSONField(default=dict)

    class Meta:
        table = "audit_entry"

    user_id: int | None


# The one row that says who this server is, so that it stays the same.
class Installation(Table):
    id = fields.IntField(primary_key=True)
    host_id = fields.CharField(max_length=120)  # BORG_HOST_ID of every borg that runs here
    # File name of each host key -> its fingerprint, so that a lost key is noticed.
    host_keys: fields.Field[dict[str, Any]] = fields.JSONField(default=dict)
    setup_token_sha256 = fields.CharField(max_length=64, null=True)
    # Whether what older versions stored in clear was sealed and no trace of it is left.
    is_sealed = fields.BooleanField(default=False, db_default=False)
    # Whose the storage roots are; a copy of the database gets another one.
    uid = fields.CharField(max_length=36, null=True)
    former_uid = fields.CharField(max_length=36, null=True)  # of what this is a copy
    node = fields.CharField(max_length=64, null=True)  # the data directory of a SQLite database
    created_at = MomentField()

    class Meta:
        table = "installation"


# The one row that says how the clock stood when the server last looked, and whether it jumped.
class ClockState(Table):
    id = fields.IntField(primary_key=True)
    wall = MomentField()
    elapsed = fields.FloatField()  # seconds since that boot of the machine
    boot = fields.CharField(max_length=64)
    # The last reading before the jump and the first one after it; null: the clock is trusted.
    doubt: fields.Field[list[Any] | None] = fields.JSONField(null=True)
    confirmations = fields.IntField(default=0)  # by administrators

    class Meta:
        table = "clock_state"
