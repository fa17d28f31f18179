from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from hive.kinds import Role

_ROLES = """UPDATE "user" SET role = 'administrator' WHERE is_admin"""
_KEYS = """UPDATE "user" SET keys_enabled = enabled"""
_FLAGS = """UPDATE "user" SET is_admin = (role = 'administrator')"""


class Migration(migrations.Migration):
    dependencies = [("hive", "0023_moves")]

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
        ops.AddField(
            model_name="User",
            name="keys_enabled",
            field=fields.BooleanField(default=True, db_default=True),
        ),
        ops.RunSQL(sql=[_KEYS], reverse_sql=[]),
        ops.AddField(
            model_name="User",
            name="expires_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(model_name="User", name="max_repositories", field=fields.IntField(null=True)),
        ops.AddField(model_name="Group", name="max_repositories", field=fields.IntField(null=True)),
        ops.AddField(
            model_name="Group",
            name="requires_second_factor",
            field=fields.BooleanField(default=False, db_default=False),
        ),
        ops.AddField(
            model_name="Membership",
            name="is_lead",
            field=fields.BooleanField(default=False, db_default=False),
        ),
        ops.AddField(
            model_name="Membership",
            name="expires_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="RepositoryShare",
            name="expires_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="KeyShare",
            name="expires_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="ChannelShare",
            name="expires_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.CreateModel(
            name="Invitation",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "user",
                    fields.OneToOneField(
                        "hive.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="invitation",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("token_sha256", fields.CharField(unique=True, max_length=64)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("created_by", fields.CharField(max_length=150)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("mailed_to", fields.CharField(null=True, max_length=254)),
            ],
            options={"table": "invitation", "app": "hive", "pk_attr": "id"},
            bases=["Model"],
        ),
    ]
