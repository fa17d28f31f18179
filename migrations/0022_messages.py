from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("hive", "0021_received_bytes")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Escalation",
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
                        related_name="escalations",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "notification",
                    fields.ForeignKeyField(
                        "hive.Notification",
                        source_field="notification_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="escalations",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("incident", fields.CharField(db_index=True, max_length=120)),
                ("due_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "escalation",
                "app": "hive",
                "unique_together": (("rule", "incident"),),
                "indexes": [Index(fields=["due_at"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="UsedLink",
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
                        related_name="used_links",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("action", fields.CharField(max_length=20)),
                ("at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("address", fields.CharField(max_length=64)),
            ],
            options={
                "table": "used_link",
                "app": "hive",
                "unique_together": (("delivery", "action"),),
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.AddField(
            model_name="Delivery",
            name="bundle",
            field=fields.ForeignKeyField(
                "hive.Delivery",
                source_field="bundle_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="bundled",
                on_delete=OnDelete.SET_NULL,
            ),
        ),
        ops.AddField(
            model_name="Delivery",
            name="held",
            field=fields.CharField(default="", db_default="", max_length=10),
        ),
        ops.AddIndex(
            model_name="Delivery",
            index=Index(fields=["sent_at"]),
        ),
        ops.AddField(
            model_name="Notification",
            name="brief",
            field=fields.CharField(default="", db_default="", max_length=500),
        ),
        ops.AddField(
            model_name="Notification",
            name="incident",
            field=fields.CharField(null=True, max_length=120),
        ),
        ops.AddField(
            model_name="Notification",
            name="layout",
            field=fields.JSONField(null=True),
        ),
        ops.AddIndex(
            model_name="Notification",
            index=Index(fields=["incident", "at"]),
        ),
        ops.AddField(
            model_name="Preference",
            name="is_mailed",
            field=fields.BooleanField(default=True, db_default=True),
        ),
        ops.AddField(
            model_name="Rule",
            name="escalate_after_minutes",
            field=fields.IntField(null=True),
        ),
        ops.AddField(
            model_name="Rule",
            name="escalate_channel",
            field=fields.ForeignKeyField(
                "hive.Channel",
                source_field="escalate_channel_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="escalations_of",
                on_delete=OnDelete.SET_NULL,
            ),
        ),
        ops.AddField(
            model_name="Rule",
            name="escalate_user",
            field=fields.ForeignKeyField(
                "hive.User",
                source_field="escalate_user_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="escalations_of",
                on_delete=OnDelete.SET_NULL,
            ),
        ),
    ]
