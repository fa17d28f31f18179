from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("hive", "0016_notifying")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Location", name="uid", field=fields.CharField(null=True, max_length=36)
        ),
        ops.AddField(
            model_name="Location", name="marked_at", field=fields.DatetimeField(null=True)
        ),
        ops.AddField(
            model_name="Location", name="away_since", field=fields.DatetimeField(null=True)
        ),
        ops.AddField(
            model_name="Location", name="returned_at", field=fields.DatetimeField(null=True)
        ),
        ops.AddField(
            model_name="Installation", name="uid", field=fields.CharField(null=True, max_length=36)
        ),
        ops.AddField(
            model_name="Installation",
            name="former_uid",
            field=fields.CharField(null=True, max_length=36),
        ),
        ops.AddField(
            model_name="Installation", name="node", field=fields.CharField(null=True, max_length=64)
        ),
        ops.AddField(
            model_name="Repository", name="vanished_at", field=fields.DatetimeField(null=True)
        ),
    ]
