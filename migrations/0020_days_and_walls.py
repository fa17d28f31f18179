from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("hive", "0019_verdicts")]

    initial = False

    operations = [
        ops.CreateModel(
            name="BackupDay",
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
                        related_name="backup_days",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("day", fields.IntField()),
                ("made", fields.BigIntField(default=0)),
                ("late", fields.BigIntField(default=0)),
                ("due", fields.BigIntField(default=0)),
                ("failed", fields.BigIntField(default=0)),
            ],
            options={
                "table": "backup_day",
                "app": "hive",
                "unique_together": (("repository", "day"),),
                "indexes": [Index(fields=["day"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="WallLink",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("name", fields.CharField(max_length=150)),
                ("token_sha256", fields.CharField(unique=True, max_length=64)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("created_by", fields.CharField(max_length=150)),
                (
                    "last_used_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={"table": "wall_link", "app": "hive", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.AddField(
            model_name="Repository",
            name="days_known",
            field=fields.BooleanField(default=True, db_default=False),
        ),
        ops.AddField(
            model_name="Repository", name="failed_session_id", field=fields.IntField(null=True)
        ),
        ops.AddField(
            model_name="Repository", name="missing_at", field=fields.DatetimeField(null=True)
        ),
        ops.AddIndex(model_name="Repository", index=Index(fields=["deleted_at", "owner_id"])),
        ops.AddIndex(model_name="Repository", index=Index(fields=["deleted_at", "look_at"])),
        ops.AddIndex(model_name="Repository", index=Index(fields=["deleted_at", "missing_at"])),
        ops.AddIndex(model_name="Repository", index=Index(fields=["health"])),
        ops.AddIndex(model_name="Repository", index=Index(fields=["failed_session_id"])),
    ]
