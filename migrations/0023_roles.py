from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from hive.kinds import Role

_ROLES = """UPDATE "user" SET role = 'administrator' WHERE is_admin"""
_FLAGS = """UPDATE "user" SET is_admin = (role = 'administrator')"""


class Migration(migrations.Migration):
    dependencies = [("hive", "0020_days_and_walls")]

    initial = False

    operations = [
        ops.AddField(
            model_name="User",
            name="role",
            field=fields.CharEnumField(
                Role, description="Role", max_length=20, default=Role.MEMBER, db_default="member"
            ),
        ),
        ops.RunSQL(sql=[_ROLES], reverse_sql=[_FLAGS]),
        ops.RemoveField(model_name="User", name="is_admin"),
        ops.AddField(
            model_name="AuditEntry",
            name="behind",
            field=fields.CharField(max_length=150, null=True),
        ),
    ]
