from tortoise import migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("hive", "0020_days_and_walls")]

    initial = False

    operations = [
        ops.AddIndex(
            model_name="Session", index=Index(fields=["ended_at", "repository_id", "bytes_in"])
        ),
        ops.RemoveIndex(model_name="Session", fields=["ended_at"]),
    ]
