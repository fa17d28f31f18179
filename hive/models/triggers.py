"""Backups that the server asks for, and what clients report about theirs."""

from __future__ import annotations

from typing import Any

from tortoise import fields

from hive.kinds import RunState, RunVerdict, TriggerKind, TriggerReason, TriggerState
from hive.models.fields import LongSentenceField, MomentField
from hive.models.repositories import Repository
from hive.models.table import Table


# What is called to start a backup of a repository, and when.
class Trigger(Table):
    id = fields.IntField(primary_key=True)
    repository: fields.ForeignKeyRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="triggers", on_delete=fields.CASCADE
    )
    name = fields.CharField(max_length=150)
    kind = fields.CharEnumField(TriggerKind, description="TriggerKind", max_length=10)
    settings: fields.Field[dict[str, Any]] = fields.JSONField(
        default=dict
    )  # sealed: hive/services/secrets.py
    cron = fields.CharField(max_length=100, null=True)
    timezone = fields.CharField(max_length=64, null=True)
    is_for_late = fields.BooleanField(default=False)  # called when the repository becomes late
    enabled = fields.BooleanField(default=True)
    next_at = MomentField(null=True, db_index=True)
    created_at = MomentField()

    class Meta:
        table = "trigger"
        unique_together = (("repository", "name"),)

    repository_id: int


class TriggerRun(Table):
    id = fields.IntField(primary_key=True)
    trigger: fields.ForeignKeyRelation[Trigger] = fields.ForeignKeyField(
        "hive.Trigger", related_name="runs", on_delete=fields.CASCADE
    )
    reason = fields.CharEnumField(TriggerReason, description="TriggerReason", max_length=10)
    asked_by = fields.CharField(max_length=150, null=True)
    state = fields.CharEnumField(TriggerState, description="TriggerState", max_length=10)
    started_at = MomentField()
    ended_at = MomentField(null=True)
    external_id = fields.CharField(max_length=100, null=True)  # of a job in AWX
    link = fields.CharField(max_length=2000, null=True)
    message = LongSentenceField(default="")
    look_at = MomentField(null=True, db_index=True)  # when the service is asked again

    class Meta:
        table = "trigger_run"
        indexes = (("trigger_id", "started_at"),)

    trigger_id: int


# What a client reports with; the token is stored as its SHA-256 only.
class PingToken(Table):
    id = fields.IntField(primary_key=True)
    repository: fields.ForeignKeyRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="ping_tokens", on_delete=fields.CASCADE
    )
    name = fields.CharField(max_length=150)
    token_sha256 = fields.CharField(max_length=64, unique=True)
    created_at = MomentField()
    last_used_at = MomentField(null=True)
    log_day = fields.IntField(null=True)  # number of the day in UTC that `log_day_bytes` is of
    log_day_bytes = fields.BigIntField(default=0, db_default=0)

    class Meta:
        table = "ping_token"

    repository_id: int


# One run as the client itself reported it.
class Run(Table):
    id = fields.IntField(primary_key=True)
    repository: fields.ForeignKeyRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="runs", on_delete=fields.CASCADE
    )
    token: fields.ForeignKeyNullableRelation[PingToken] = fields.ForeignKeyField(
        "hive.PingToken", related_name="runs", on_delete=fields.SET_NULL, null=True
    )
    state = fields.CharEnumField(RunState, description="RunState", max_length=10)
    started_at = MomentField(null=True)  # null: no start was reported
    ended_at = MomentField(null=True)
    exit_status = fields.IntField(null=True)
    log = fields.TextField(default="")  # of former versions, until it is moved into a file
    log_file = fields.CharField(max_length=40, null=True)  # name below `paths.logs`
    log_bytes = fields.IntField(default=0, db_default=0)  # what that file takes on the disk
    peer = fields.CharField(max_length=64)
    user_agent = fields.CharField(max_length=300, default="")
    rid = fields.CharField(max_length=64, null=True)  # pairs starts and ends of parallel runs
    verdict = fields.CharEnumField(
        RunVerdict, description="RunVerdict", max_length=20, default=RunVerdict.UNKNOWN
    )
    judge_at = MomentField(null=True, db_index=True)  # when sessions had time to end
    details: fields.Field[dict[str, Any]] = fields.JSONField(default=dict)

    class Meta:
        table = "run"
        indexes = (("repository_id", "started_at"), ("repository_id", "log_bytes"))

    repository_id: int
    token_id: int | None
