import functools
from json import dumps, loads

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from hive.kinds import Access, EndReason, EventKind, Mode, Need, ShareLevel, Source, TrashReason


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="Group",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("name", fields.CharField(unique=True, max_length=150)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={"table": "group", "app": "hive", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Installation",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("host_id", fields.CharField(max_length=120)),
                (
                    "host_keys",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("setup_token_sha256", fields.CharField(null=True, max_length=64)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={"table": "installation", "app": "hive", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Location",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("name", fields.CharField(unique=True, max_length=100)),
                ("host", fields.CharField(null=True, max_length=255)),
                ("port", fields.IntField(null=True)),
                ("root", fields.CharField(null=True, max_length=4096)),
                ("is_default", fields.BooleanField(default=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={"table": "location", "app": "hive", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="User",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("name", fields.CharField(unique=True, max_length=150)),
                ("email", fields.CharField(null=True, max_length=254)),
                ("password_hash", fields.CharField(null=True, max_length=255)),
                ("is_admin", fields.BooleanField(default=False)),
                ("enabled", fields.BooleanField(default=True)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "last_login_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
            ],
            options={"table": "user", "app": "hive", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="AuditEntry",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("at", fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "hive.User",
                        source_field="user_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="audit_entries",
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("actor", fields.CharField(max_length=150)),
                (
                    "source",
                    fields.CharEnumField(description="Source", enum_type=Source, max_length=10),
                ),
                ("address", fields.CharField(null=True, max_length=64)),
                ("action", fields.CharField(max_length=60)),
                ("subject", fields.CharField(max_length=300)),
                (
                    "details",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
            ],
            options={"table": "audit_entry", "app": "hive", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Key",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("name", fields.CharField(max_length=150)),
                (
                    "owner",
                    fields.ForeignKeyField(
                        "hive.User",
                        source_field="owner_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="keys",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("type", fields.CharField(max_length=64)),
                ("blob", fields.TextField(unique=False)),
                ("bits", fields.IntField()),
                ("fingerprint", fields.CharField(db_index=True, max_length=64)),
                ("comment", fields.CharField(default="", max_length=255)),
                ("enabled", fields.BooleanField(default=True)),
                ("expires_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "networks",
                    fields.JSONField(
                        default=list,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                (
                    "last_used_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "key",
                "app": "hive",
                "unique_together": (("owner", "fingerprint"), ("owner", "name")),
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="KeyShare",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "key",
                    fields.ForeignKeyField(
                        "hive.Key",
                        source_field="key_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="shares",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "group",
                    fields.ForeignKeyField(
                        "hive.Group",
                        source_field="group_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="key_shares",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "level",
                    fields.CharEnumField(
                        default=ShareLevel.MANAGE,
                        description="ShareLevel",
                        enum_type=ShareLevel,
                        max_length=10,
                    ),
                ),
            ],
            options={
                "table": "key_share",
                "app": "hive",
                "unique_together": (("key", "group"),),
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Membership",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "user",
                    fields.ForeignKeyField(
                        "hive.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="memberships",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "group",
                    fields.ForeignKeyField(
                        "hive.Group",
                        source_field="group_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="memberships",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "membership",
                "app": "hive",
                "unique_together": (("user", "group"),),
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Repository",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("name", fields.CharField(max_length=100)),
                ("directory", fields.CharField(max_length=100)),
                ("login", fields.CharField(unique=True, max_length=32)),
                (
                    "location",
                    fields.ForeignKeyField(
                        "hive.Location",
                        source_field="location_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="repositories",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "owner",
                    fields.ForeignKeyField(
                        "hive.User",
                        source_field="owner_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="repositories",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "mode",
                    fields.CharEnumField(
                        default=Mode.BORG, description="Mode", enum_type=Mode, max_length=10
                    ),
                ),
                ("quota_bytes", fields.BigIntField(null=True)),
                ("size_bytes", fields.BigIntField(null=True)),
                (
                    "initialized_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                (
                    "last_backup_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                (
                    "last_access_at",
                    fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
                ),
                ("maintenance", fields.CharField(null=True, max_length=200)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("deleted_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "repository",
                "app": "hive",
                "indexes": [Index(fields=["owner_id", "directory"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ConfigVersion",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "repository",
                    fields.ForeignKeyField(
                        "hive.Repository",
                        source_field="repository_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="config_versions",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("sha256", fields.CharField(max_length=64)),
                ("content", fields.BinaryField()),
                ("session_id", fields.IntField(null=True)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "config_version",
                "app": "hive",
                "indexes": [Index(fields=["repository_id", "created_at"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Grant",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "repository",
                    fields.ForeignKeyField(
                        "hive.Repository",
                        source_field="repository_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="grants",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "key",
                    fields.ForeignKeyField(
                        "hive.Key",
                        source_field="key_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="grants",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "access",
                    fields.CharEnumField(
                        default=Access.FULL, description="Access", enum_type=Access, max_length=20
                    ),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "grant",
                "app": "hive",
                "unique_together": (("repository", "key"),),
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RepositoryShare",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "repository",
                    fields.ForeignKeyField(
                        "hive.Repository",
                        source_field="repository_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="shares",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "group",
                    fields.ForeignKeyField(
                        "hive.Group",
                        source_field="group_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="repository_shares",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "level",
                    fields.CharEnumField(
                        default=ShareLevel.MANAGE,
                        description="ShareLevel",
                        enum_type=ShareLevel,
                        max_length=10,
                    ),
                ),
            ],
            options={
                "table": "repository_share",
                "app": "hive",
                "unique_together": (("repository", "group"),),
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Session",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "repository",
                    fields.ForeignKeyField(
                        "hive.Repository",
                        source_field="repository_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="sessions",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("login", fields.CharField(max_length=32)),
                (
                    "key",
                    fields.ForeignKeyField(
                        "hive.Key",
                        source_field="key_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="sessions",
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("key_fingerprint", fields.CharField(max_length=64)),
                ("key_name", fields.CharField(max_length=150)),
                ("peer", fields.CharField(max_length=64)),
                ("client", fields.CharField(null=True, max_length=255)),
                ("borg_version", fields.CharField(null=True, max_length=40)),
                ("command", fields.TextField(unique=False)),
                ("need", fields.CharEnumField(description="Need", enum_type=Need, max_length=10)),
                ("mode", fields.CharEnumField(description="Mode", enum_type=Mode, max_length=10)),
                (
                    "access",
                    fields.CharEnumField(description="Access", enum_type=Access, max_length=20),
                ),
                ("operation", fields.CharField(null=True, max_length=40)),
                ("started_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("bytes_in", fields.BigIntField(null=True)),
                ("bytes_out", fields.BigIntField(null=True)),
                ("exit_status", fields.IntField(null=True)),
                (
                    "end_reason",
                    fields.CharEnumField(
                        null=True, description="EndReason", enum_type=EndReason, max_length=20
                    ),
                ),
                ("node", fields.CharField(max_length=255)),
            ],
            options={
                "table": "session",
                "app": "hive",
                "indexes": [
                    Index(fields=["repository_id", "started_at"]),
                    Index(fields=["ended_at"]),
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Event",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("at", fields.DatetimeField(db_index=True, auto_now=False, auto_now_add=False)),
                (
                    "repository",
                    fields.ForeignKeyField(
                        "hive.Repository",
                        source_field="repository_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="events",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "session",
                    fields.ForeignKeyField(
                        "hive.Session",
                        source_field="session_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="events",
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                (
                    "kind",
                    fields.CharEnumField(
                        description="EventKind", enum_type=EventKind, max_length=40
                    ),
                ),
                ("message", fields.CharField(max_length=1000)),
                (
                    "details",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
            ],
            options={
                "table": "event",
                "app": "hive",
                "indexes": [Index(fields=["repository_id", "at"])],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TrashEntry",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                (
                    "repository",
                    fields.ForeignKeyField(
                        "hive.Repository",
                        source_field="repository_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="trash_entries",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("root", fields.CharField(max_length=4096)),
                ("path", fields.CharField(max_length=4096)),
                (
                    "reason",
                    fields.CharEnumField(
                        description="TrashReason", enum_type=TrashReason, max_length=40
                    ),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={"table": "trash_entry", "app": "hive", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="WebSession",
            fields=[
                (
                    "id",
                    fields.IntField(generated=True, primary_key=True, unique=True, db_index=True),
                ),
                ("token_sha256", fields.CharField(unique=True, max_length=64)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "hive.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="web_sessions",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("address", fields.CharField(max_length=64)),
                ("user_agent", fields.CharField(max_length=300)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("last_seen_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={"table": "web_session", "app": "hive", "pk_attr": "id"},
            bases=["Model"],
        ),
    ]
