from tortoise import fields, migrations
from tortoise.migrations import operations as ops

# What is called fine now was called up; and without a schedule nobody can say so.
FORWARD = [
    "UPDATE repository SET health = 'fine' WHERE health = 'up'",
    (
        "UPDATE repository SET health = 'unwatched'"
        " WHERE schedule_kind = 'none' AND health IN ('fine', 'new')"
    ),
    "UPDATE health_change SET health = 'fine' WHERE health = 'up'",
    "UPDATE health_change SET former = 'fine' WHERE former = 'up'",
    # whoever asked for "shrunk" asked for what has names of its own now
    (
        "UPDATE rule SET kinds = replace(kinds, '\"repository shrunk\"',"
        ' \'"repository shrunk", "repository went back", "content gone"\')'
    ),
]
BACKWARD = [
    "UPDATE repository SET health = 'new' WHERE health = 'unwatched' AND last_backup_at IS NULL",
    "UPDATE repository SET health = 'up' WHERE health IN ('fine', 'unwatched')",
    "UPDATE health_change SET health = 'up' WHERE health IN ('fine', 'unwatched')",
    "UPDATE health_change SET former = 'up' WHERE former IN ('fine', 'unwatched')",
]


class Migration(migrations.Migration):
    dependencies = [("hive", "0014_server_alarms")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Alarm", name="count", field=fields.IntField(default=1, db_default=1)
        ),
        ops.AddField(model_name="Alarm", name="session_id", field=fields.IntField(null=True)),
        ops.AddField(model_name="Alarm", name="answered_at", field=fields.DatetimeField(null=True)),
        ops.AddField(
            model_name="Alarm",
            name="answered_by",
            field=fields.CharField(null=True, max_length=150),
        ),
        ops.AddField(
            model_name="Repository", name="emptied_at", field=fields.DatetimeField(null=True)
        ),
        ops.RunSQL(FORWARD, reverse_sql=BACKWARD),
    ]
