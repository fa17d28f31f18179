from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from hive.kinds import MoveState
from hive.models.fields import LongSentenceField


class Migration(migrations.Migration):
    dependencies = [("hive", "0022_messages")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Move",
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
                        related_name="moves",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "state",
                    fields.CharEnumField(
                        description="MoveState", enum_type=MoveState, max_length=20
                    ),
                ),
                ("target_id", fields.IntField()),
                ("target_name", fields.CharField(max_length=100)),
                ("former_id", fields.IntField()),
                ("former_name", fields.CharField(max_length=100)),
                ("former_root", fields.CharField(max_length=4096)),
                ("worker", fields.CharField(default="", max_length=64)),
                ("actor", fields.CharField(max_length=150)),
                ("asked_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("message", LongSentenceField(default="", unique=False)),
            ],
            options={
                "table": "move",
                "app": "hive",
                "indexes": [Index(fields=["state"]), Index(fields=["repository_id", "asked_at"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
    ]
