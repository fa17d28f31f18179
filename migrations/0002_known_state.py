from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("hive", "0001_initial")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Repository",
            name="known_state",
            field=fields.CharField(null=True, max_length=64),
        ),
    ]
