from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from hive.kinds import Access


class Migration(migrations.Migration):
    dependencies = [("hive", "0007_accounts")]

    initial = False

    operations = [
        ops.CreateModel(
            name="FormerPath",
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
                        related_name="former_paths",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("path", fields.CharField(max_length=500)),
                ("key_name", fields.CharField(max_length=150)),
                ("key_fingerprint", fields.CharField(max_length=64)),
                ("peer", fields.CharField(max_length=64)),
                ("uses", fields.IntField(default=1)),
                ("last_used_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "former_path",
                "app": "hive",
                "indexes": [Index(fields=["repository_id", "last_used_at"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="ConfigVersion",
            name="access",
            field=fields.CharEnumField(
                null=True, description="Access", enum_type=Access, max_length=20
            ),
        ),
        ops.AddField(
            model_name="Repository",
            name="strict_paths",
            field=fields.BooleanField(default=True, db_default=False),
        ),
    ]
