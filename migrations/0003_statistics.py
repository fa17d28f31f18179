import functools
from json import dumps, loads

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from hive.kinds import EventKind


class Migration(migrations.Migration):
    dependencies = [("hive", "0002_known_state")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Alarm",
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
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="alarms",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("root", fields.CharField(default="", max_length=4096)),
                (
                    "kind",
                    fields.CharEnumField(
                        description="EventKind", enum_type=EventKind, max_length=40
                    ),
                ),
                ("level", fields.IntField()),
                ("message", fields.CharField(max_length=1000)),
                (
                    "details",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("since", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "alarm",
                "app": "hive",
                "indexes": [Index(fields=["repository_id", "kind"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Inspection",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "repository",
                    fields.OneToOneField(
                        "hive.Repository",
                        source_field="repository_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="inspection",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("kind", fields.CharField(null=True, max_length=10)),
                ("version", fields.IntField(null=True)),
                ("borg_id", fields.CharField(null=True, max_length=100)),
                ("encryption", fields.CharField(null=True, max_length=20)),
                ("append_only", fields.BooleanField(null=True)),
                ("config_quota_bytes", fields.BigIntField(null=True)),
                ("transaction", fields.BigIntField(null=True)),
                ("state", fields.CharField(default="", max_length=100)),
                ("size_bytes", fields.BigIntField(null=True)),
                ("quota_use_bytes", fields.BigIntField(null=True)),
                ("live_bytes", fields.BigIntField(null=True)),
                ("reclaimable_bytes", fields.BigIntField(null=True)),
                ("growth_bytes_per_week", fields.BigIntField(null=True)),
                ("problem", fields.CharField(null=True, max_length=500)),
                (
                    "problem_since",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={"table": "inspection", "app": "hive", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Statistic",
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
                        related_name="statistics",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("size_bytes", fields.BigIntField()),
                ("live_bytes", fields.BigIntField(null=True)),
                ("reclaimable_bytes", fields.BigIntField(null=True)),
                ("segments", fields.IntField(null=True)),
            ],
            options={
                "table": "statistic",
                "app": "hive",
                "indexes": [Index(fields=["repository_id", "at"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
    ]
