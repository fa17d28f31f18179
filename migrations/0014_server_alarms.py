from tortoise import migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("hive", "0013_quotas")]

    initial = False

    operations = [ops.RenameField(model_name="Alarm", old_name="root", new_name="subject")]
