import functools
from json import dumps, loads

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from hive.kinds import ArchiveCreated


class Migration(migrations.Migration):
    dependencies = [("hive", "0003_statistics")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Session",
            name="archive_created",
            field=fields.CharEnumField(
                null=True, description="ArchiveCreated", enum_type=ArchiveCreated, max_length=10
            ),
        ),
        ops.AddField(
            model_name="Session",
            name="bytes_added",
            field=fields.BigIntField(null=True),
        ),
        ops.AddField(
            model_name="Session",
            name="bytes_freed",
            field=fields.BigIntField(null=True),
        ),
        ops.AddField(
            model_name="Session",
            name="bytes_removed",
            field=fields.BigIntField(null=True),
        ),
        ops.AddField(
            model_name="Session",
            name="error",
            field=fields.TextField(null=True, unique=False),
        ),
        ops.AddField(
            model_name="Session",
            name="observed",
            field=fields.JSONField(
                null=True, encoder=functools.partial(dumps, separators=(",", ":")), decoder=loads
            ),
        ),
        ops.AddField(
            model_name="Session",
            name="reclaimable_bytes",
            field=fields.BigIntField(null=True),
        ),
    ]
