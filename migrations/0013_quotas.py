from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("hive", "0012_accounts_and_secrets")]

    initial = False

    operations = [
        ops.AddField(model_name="User", name="quota_bytes", field=fields.BigIntField(null=True)),
        ops.AddField(model_name="Group", name="quota_bytes", field=fields.BigIntField(null=True)),
        ops.AddField(
            model_name="Repository", name="occupied_bytes", field=fields.BigIntField(null=True)
        ),
        ops.AddField(
            model_name="Repository",
            name="import_folder",
            field=fields.CharField(null=True, max_length=255),
        ),
    ]
