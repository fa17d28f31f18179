from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("hive", "0018_clock")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Session",
            name="only_reads",
            field=fields.BooleanField(default=False, db_default=False),
        ),
        ops.AddField(
            model_name="Repository", name="maybe_backup_at", field=fields.DatetimeField(null=True)
        ),
        ops.AddField(model_name="Inspection", name="objects", field=fields.BigIntField(null=True)),
    ]
