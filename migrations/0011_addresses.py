from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from hive.kinds import AddressRuling, AddressTrouble


class Migration(migrations.Migration):
    dependencies = [("hive", "0010_rollback")]

    initial = False

    operations = [
        ops.CreateModel(
            name="AddressRecord",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("address", fields.CharField(max_length=64)),
                (
                    "trouble",
                    fields.CharEnumField(
                        description="AddressTrouble", enum_type=AddressTrouble, max_length=30
                    ),
                ),
                ("count", fields.IntField()),
                ("reason", fields.CharField(max_length=1000)),
                ("client", fields.CharField(default="", max_length=255)),
                ("first_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "last_at",
                    fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False),
                ),
                ("told_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "address_record",
                "app": "hive",
                "unique_together": (("address", "trouble"),),
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="AddressRule",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("network", fields.CharField(unique=True, max_length=64)),
                (
                    "ruling",
                    fields.CharEnumField(
                        description="AddressRuling", enum_type=AddressRuling, max_length=10
                    ),
                ),
                ("reason", fields.CharField(default="", max_length=300)),
                ("created_by", fields.CharField(max_length=150)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={"table": "address_rule", "app": "hive", "pk_attr": "id"},
            bases=["Model"],
        ),
    ]
