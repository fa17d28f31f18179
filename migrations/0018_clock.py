import functools
from json import dumps, loads

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("hive", "0017_places")]

    initial = False

    operations = [
        ops.CreateModel(
            name="ClockState",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("wall", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("elapsed", fields.FloatField()),
                ("boot", fields.CharField(max_length=64)),
                (
                    "doubt",
                    fields.JSONField(
                        null=True,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("confirmations", fields.IntField(default=0)),
            ],
            options={"table": "clock_state", "app": "hive", "pk_attr": "id"},
            bases=["Model"],
        ),
    ]
