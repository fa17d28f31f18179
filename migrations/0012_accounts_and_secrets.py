from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("hive", "0011_addresses")]

    initial = False

    operations = [
        ops.CreateModel(
            name="KnownBrowser",
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
                        related_name="known_browsers",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("token_sha256", fields.CharField(db_index=True, max_length=64)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("last_used_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "known_browser",
                "app": "hive",
                "unique_together": (("user", "token_sha256"),),
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="Installation",
            name="is_sealed",
            field=fields.BooleanField(default=False, db_default=False),
        ),
        ops.AlterField(
            model_name="Totp",
            name="secret",
            field=fields.CharField(max_length=255),
        ),
    ]
