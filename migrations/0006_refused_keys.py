from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("hive", "0005_schedules_and_notifications")]

    initial = False

    operations = [
        ops.CreateModel(
            name="RefusedKey",
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
                        related_name="refused_keys",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("type", fields.CharField(max_length=64)),
                ("blob", fields.TextField(unique=False)),
                ("fingerprint", fields.CharField(max_length=64)),
                ("peer", fields.CharField(max_length=64)),
                ("first_seen_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("last_seen_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("count", fields.IntField(default=1)),
            ],
            options={
                "table": "refused_key",
                "app": "hive",
                "unique_together": (("repository", "fingerprint"),),
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
    ]
