from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from hive.kinds import RollbackState


class Migration(migrations.Migration):
    dependencies = [("hive", "0009_report_logs")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Rollback",
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
                        related_name="rollbacks",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "state",
                    fields.CharEnumField(
                        description="RollbackState", enum_type=RollbackState, max_length=20
                    ),
                ),
                ("target", fields.BigIntField()),
                ("former", fields.BigIntField()),
                ("worker", fields.CharField(max_length=64)),
                ("actor", fields.CharField(max_length=150)),
                ("root", fields.CharField(max_length=4096)),
                ("path", fields.CharField(max_length=4096)),
                ("begun_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "rollback",
                "app": "hive",
                "indexes": [Index(fields=["repository_id", "state"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="Session",
            name="objects_after",
            field=fields.BigIntField(null=True),
        ),
        ops.AddField(
            model_name="Session",
            name="transaction_after",
            field=fields.BigIntField(null=True),
        ),
        ops.AddField(
            model_name="Session",
            name="transaction_before",
            field=fields.BigIntField(null=True),
        ),
        ops.AddField(
            model_name="Session",
            name="undone_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
    ]
