from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("hive", "0008_paths_and_configs")]

    initial = False

    operations = [
        ops.AddField(
            model_name="PingToken",
            name="log_day",
            field=fields.IntField(null=True),
        ),
        ops.AddField(
            model_name="PingToken",
            name="log_day_bytes",
            field=fields.BigIntField(default=0, db_default=0),
        ),
        ops.AddField(
            model_name="Run",
            name="log_bytes",
            field=fields.IntField(default=0, db_default=0),
        ),
        ops.AddField(
            model_name="Run",
            name="log_file",
            field=fields.CharField(null=True, max_length=40),
        ),
        ops.AddIndex(
            model_name="Run",
            index=Index(fields=["repository_id", "log_bytes"]),
        ),
    ]
