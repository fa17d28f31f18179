import functools
from json import dumps, loads

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from hive.kinds import (
    AttemptOutcome,
    DeliveryState,
    Digest,
    Health,
    RunState,
    RunVerdict,
    ScheduleKind,
    Severity,
    ShareLevel,
    TriggerKind,
    TriggerReason,
    TriggerState,
    UpkeepKind,
    UpkeepState,
)


class Migration(migrations.Migration):
    dependencies = [("hive", "0004_verdicts")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Channel",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "owner",
                    fields.ForeignKeyField(
                        "hive.User",
                        source_field="owner_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="channels",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("name", fields.CharField(max_length=150)),
                ("kind", fields.CharField(max_length=20)),
                (
                    "settings",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("enabled", fields.BooleanField(default=True)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "channel",
                "app": "hive",
                "unique_together": (("owner", "name"),),
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ChannelShare",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "channel",
                    fields.ForeignKeyField(
                        "hive.Channel",
                        source_field="channel_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="shares",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "group",
                    fields.ForeignKeyField(
                        "hive.Group",
                        source_field="group_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="channel_shares",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "level",
                    fields.CharEnumField(
                        default=ShareLevel.VIEW,
                        description="ShareLevel",
                        enum_type=ShareLevel,
                        max_length=10,
                    ),
                ),
            ],
            options={
                "table": "channel_share",
                "app": "hive",
                "unique_together": (("channel", "group"),),
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="HealthChange",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "repository",
                    fields.ForeignKeyField(
                        "hive.Repository",
                        source_field="repository_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="health_changes",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "former",
                    fields.CharEnumField(description="Health", enum_type=Health, max_length=10),
                ),
                (
                    "health",
                    fields.CharEnumField(description="Health", enum_type=Health, max_length=10),
                ),
                ("lasted_seconds", fields.BigIntField(null=True)),
            ],
            options={
                "table": "health_change",
                "app": "hive",
                "indexes": [Index(fields=["repository_id", "at"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Job",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("name", fields.CharField(unique=True, max_length=60)),
                ("next_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("started_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "succeeded_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("error", fields.TextField(null=True, unique=False)),
            ],
            options={"table": "job", "app": "hive", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Notification",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "user",
                    fields.ForeignKeyField(
                        "hive.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="notifications",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("key", fields.CharField(max_length=150)),
                ("kind", fields.CharField(max_length=40)),
                (
                    "severity",
                    fields.CharEnumField(description="Severity", enum_type=Severity, max_length=10),
                ),
                (
                    "repository",
                    fields.ForeignKeyField(
                        "hive.Repository",
                        source_field="repository_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="notifications",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("title", fields.CharField(max_length=300)),
                ("text", fields.TextField(unique=False)),
                (
                    "details",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "notification",
                "app": "hive",
                "unique_together": (("user", "key"),),
                "indexes": [Index(fields=["repository_id", "at"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Delivery",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("token", fields.CharField(unique=True, max_length=64)),
                (
                    "notification",
                    fields.ForeignKeyField(
                        "hive.Notification",
                        source_field="notification_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="deliveries",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "channel",
                    fields.ForeignKeyField(
                        "hive.Channel",
                        source_field="channel_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="deliveries",
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("channel_name", fields.CharField(max_length=150)),
                ("channel_kind", fields.CharField(max_length=20)),
                (
                    "state",
                    fields.CharEnumField(
                        description="DeliveryState", enum_type=DeliveryState, max_length=10
                    ),
                ),
                ("next_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("attempts", fields.IntField(default=0)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("sent_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "delivery",
                "app": "hive",
                "indexes": [Index(fields=["state", "next_at"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="DeliveryAttempt",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "delivery",
                    fields.ForeignKeyField(
                        "hive.Delivery",
                        source_field="delivery_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="tries",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("seconds", fields.FloatField(null=True)),
                (
                    "outcome",
                    fields.CharEnumField(
                        description="AttemptOutcome", enum_type=AttemptOutcome, max_length=20
                    ),
                ),
                ("answer", fields.TextField(unique=False)),
            ],
            options={"table": "delivery_attempt", "app": "hive", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PingToken",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "repository",
                    fields.ForeignKeyField(
                        "hive.Repository",
                        source_field="repository_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="ping_tokens",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("name", fields.CharField(max_length=150)),
                ("token_sha256", fields.CharField(unique=True, max_length=64)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "last_used_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={"table": "ping_token", "app": "hive", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Preference",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "user",
                    fields.OneToOneField(
                        "hive.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="preference",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("reminder_hours", fields.IntField(default=12)),
                ("expiration_days", fields.IntField(default=5)),
                ("is_told_of_shared", fields.BooleanField(default=True)),
                (
                    "digest",
                    fields.CharEnumField(
                        default=Digest.WEEKLY, description="Digest", enum_type=Digest, max_length=10
                    ),
                ),
                ("digest_hour", fields.IntField(default=7)),
                ("digest_weekday", fields.IntField(default=0)),
            ],
            options={"table": "preference", "app": "hive", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RepositoryTag",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "repository",
                    fields.ForeignKeyField(
                        "hive.Repository",
                        source_field="repository_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="tags",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("tag", fields.CharField(db_index=True, max_length=50)),
            ],
            options={
                "table": "repository_tag",
                "app": "hive",
                "unique_together": (("repository", "tag"),),
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Rule",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "user",
                    fields.ForeignKeyField(
                        "hive.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="rules",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("name", fields.CharField(max_length=150)),
                ("enabled", fields.BooleanField(default=True)),
                (
                    "repository",
                    fields.ForeignKeyField(
                        "hive.Repository",
                        source_field="repository_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="rules",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("tag", fields.CharField(null=True, max_length=50)),
                (
                    "owner",
                    fields.ForeignKeyField(
                        "hive.User",
                        source_field="owner_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="rules_about",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "kinds",
                    fields.JSONField(
                        default=list,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "severity",
                    fields.CharEnumField(
                        default=Severity.WARNING,
                        description="Severity",
                        enum_type=Severity,
                        max_length=10,
                    ),
                ),
                ("quiet_from", fields.IntField(null=True)),
                ("quiet_to", fields.IntField(null=True)),
                ("is_quiet_for_critical", fields.BooleanField(default=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "rule",
                "app": "hive",
                "unique_together": (("user", "name"),),
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RuleChannel",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "rule",
                    fields.ForeignKeyField(
                        "hive.Rule",
                        source_field="rule_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="channels",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "channel",
                    fields.ForeignKeyField(
                        "hive.Channel",
                        source_field="channel_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="rules",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
            ],
            options={
                "table": "rule_channel",
                "app": "hive",
                "unique_together": (("rule", "channel"),),
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Run",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "repository",
                    fields.ForeignKeyField(
                        "hive.Repository",
                        source_field="repository_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="runs",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "token",
                    fields.ForeignKeyField(
                        "hive.PingToken",
                        source_field="token_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="runs",
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                (
                    "state",
                    fields.CharEnumField(description="RunState", enum_type=RunState, max_length=10),
                ),
                ("started_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("exit_status", fields.IntField(null=True)),
                ("log", fields.TextField(default="", unique=False)),
                ("peer", fields.CharField(max_length=64)),
                ("user_agent", fields.CharField(default="", max_length=300)),
                ("rid", fields.CharField(null=True, max_length=64)),
                (
                    "verdict",
                    fields.CharEnumField(
                        default=RunVerdict.UNKNOWN,
                        description="RunVerdict",
                        enum_type=RunVerdict,
                        max_length=20,
                    ),
                ),
                (
                    "judge_at",
                    fields.DatetimeField(
                        null=True, db_index=True, auto_now=False, auto_now_add=False
                    ),
                ),
                (
                    "details",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
            ],
            options={
                "table": "run",
                "app": "hive",
                "indexes": [Index(fields=["repository_id", "started_at"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Trigger",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "repository",
                    fields.ForeignKeyField(
                        "hive.Repository",
                        source_field="repository_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="triggers",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("name", fields.CharField(max_length=150)),
                (
                    "kind",
                    fields.CharEnumField(
                        description="TriggerKind", enum_type=TriggerKind, max_length=10
                    ),
                ),
                (
                    "settings",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("cron", fields.CharField(null=True, max_length=100)),
                ("timezone", fields.CharField(null=True, max_length=64)),
                ("is_for_late", fields.BooleanField(default=False)),
                ("enabled", fields.BooleanField(default=True)),
                (
                    "next_at",
                    fields.DatetimeField(
                        null=True, db_index=True, auto_now=False, auto_now_add=False
                    ),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "trigger",
                "app": "hive",
                "unique_together": (("repository", "name"),),
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TriggerRun",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "trigger",
                    fields.ForeignKeyField(
                        "hive.Trigger",
                        source_field="trigger_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="runs",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "reason",
                    fields.CharEnumField(
                        description="TriggerReason", enum_type=TriggerReason, max_length=10
                    ),
                ),
                ("asked_by", fields.CharField(null=True, max_length=150)),
                (
                    "state",
                    fields.CharEnumField(
                        description="TriggerState", enum_type=TriggerState, max_length=10
                    ),
                ),
                ("started_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("external_id", fields.CharField(null=True, max_length=100)),
                ("link", fields.CharField(null=True, max_length=2000)),
                ("message", fields.TextField(default="", unique=False)),
                (
                    "look_at",
                    fields.DatetimeField(
                        null=True, db_index=True, auto_now=False, auto_now_add=False
                    ),
                ),
            ],
            options={
                "table": "trigger_run",
                "app": "hive",
                "indexes": [Index(fields=["trigger_id", "started_at"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Upkeep",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "repository",
                    fields.ForeignKeyField(
                        "hive.Repository",
                        source_field="repository_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="upkeeps",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "kind",
                    fields.CharEnumField(
                        description="UpkeepKind", enum_type=UpkeepKind, max_length=10
                    ),
                ),
                (
                    "state",
                    fields.CharEnumField(
                        description="UpkeepState", enum_type=UpkeepState, max_length=10
                    ),
                ),
                ("asked_by", fields.CharField(null=True, max_length=150)),
                ("is_confirmed", fields.BooleanField(default=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("started_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("seconds", fields.IntField(default=0)),
                ("interruptions", fields.IntField(default=0)),
                ("message", fields.TextField(default="", unique=False)),
                (
                    "details",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
            ],
            options={
                "table": "upkeep",
                "app": "hive",
                "indexes": [
                    Index(fields=["repository_id", "kind", "created_at"]),
                    Index(fields=["state"]),
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="Inspection",
            name="check_begun_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Inspection",
            name="check_error",
            field=fields.TextField(null=True, unique=False),
        ),
        ops.AddField(
            model_name="Inspection",
            name="checked_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Inspection",
            name="compacted_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Repository",
            name="acknowledged_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Repository",
            name="acknowledged_by",
            field=fields.CharField(null=True, max_length=150),
        ),
        ops.AddField(
            model_name="Repository",
            name="alerted_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Repository",
            name="due_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Repository",
            name="grace_seconds",
            field=fields.IntField(null=True),
        ),
        ops.AddField(
            model_name="Repository",
            name="health",
            field=fields.CharEnumField(
                default=Health.NEW,
                description="Health",
                db_default="new",
                enum_type=Health,
                max_length=10,
            ),
        ),
        ops.AddField(
            model_name="Repository",
            name="health_since",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Repository",
            name="last_backup_is_estimated",
            field=fields.BooleanField(default=False, db_default=False),
        ),
        ops.AddField(
            model_name="Repository",
            name="look_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Repository",
            name="muted_until",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Repository",
            name="paused_until",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Repository",
            name="remind_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Repository",
            name="schedule_cron",
            field=fields.CharField(null=True, max_length=100),
        ),
        ops.AddField(
            model_name="Repository",
            name="schedule_kind",
            field=fields.CharEnumField(
                default=ScheduleKind.NONE,
                description="ScheduleKind",
                db_default="none",
                enum_type=ScheduleKind,
                max_length=10,
            ),
        ),
        ops.AddField(
            model_name="Repository",
            name="schedule_seconds",
            field=fields.IntField(null=True),
        ),
        ops.AddField(
            model_name="Repository",
            name="schedule_timezone",
            field=fields.CharField(null=True, max_length=64),
        ),
        ops.AddIndex(
            model_name="Repository",
            index=Index(fields=["look_at"]),
        ),
        ops.AddField(
            model_name="User",
            name="language",
            field=fields.CharField(null=True, max_length=10),
        ),
        ops.AddField(
            model_name="User",
            name="theme",
            field=fields.CharField(null=True, max_length=10),
        ),
        ops.AddField(
            model_name="User",
            name="timezone",
            field=fields.CharField(null=True, max_length=64),
        ),
    ]
