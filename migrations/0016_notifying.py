from typing import Any

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from hive.kinds import Rest

# Who has rules has heard of nothing else so far; what is critical they hear of from now on.
_KEEP_PREFERENCES = """
UPDATE preference SET rest = 'critical'
WHERE user_id IN (SELECT user_id FROM rule WHERE enabled)
"""
_ADD_PREFERENCES = """
INSERT INTO preference (user_id, reminder_hours, expiration_days, is_told_of_shared, digest,
    digest_hour, digest_weekday, is_told_of_critical, rest)
SELECT DISTINCT user_id, 12, 5, true, 'weekly', 7, 0, true, 'critical' FROM rule
WHERE enabled AND user_id NOT IN (SELECT user_id FROM preference)
"""


def _identity() -> tuple[str, Any]:
    return "id", fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)


def _moment(**options: Any) -> Any:  # noqa: ANN401 - a field, whatever it holds
    return fields.DatetimeField(auto_now=False, auto_now_add=False, **options)


class Migration(migrations.Migration):
    dependencies = [("hive", "0015_states")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Preference",
            name="is_told_of_critical",
            field=fields.BooleanField(default=True, db_default=True),
        ),
        ops.AddField(
            model_name="Preference",
            name="rest",
            field=fields.CharEnumField(
                Rest, description="Rest", max_length=10, default=Rest.ALL, db_default="all"
            ),
        ),
        ops.AddField(model_name="Channel", name="failing_since", field=_moment(null=True)),
        ops.AddField(
            model_name="Channel", name="failures", field=fields.IntField(default=0, db_default=0)
        ),
        ops.AddField(model_name="Channel", name="next_try", field=_moment(null=True)),
        ops.AddField(
            model_name="Channel",
            name="last_error",
            field=fields.CharField(max_length=500, default="", db_default=""),
        ),
        ops.AddField(
            model_name="Channel",
            name="refused_address",
            field=fields.CharField(null=True, max_length=64),
        ),
        ops.AddField(model_name="Channel", name="worked_at", field=_moment(null=True)),
        ops.CreateModel(
            name="MailPlace",
            fields=[
                _identity(),
                (
                    "user",
                    fields.OneToOneField(
                        "hive.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="mail_place",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("failing_since", _moment(null=True)),
                ("failures", fields.IntField(default=0)),
                ("next_try", _moment(null=True)),
                ("last_error", fields.CharField(default="", max_length=500)),
                ("worked_at", _moment(null=True)),
            ],
            options={"table": "mail_place", "app": "hive", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="AllowedNetwork",
            fields=[
                _identity(),
                ("network", fields.CharField(unique=True, max_length=64)),
                ("created_by", fields.CharField(max_length=150)),
                ("created_at", _moment()),
            ],
            options={"table": "allowed_network", "app": "hive", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Pulse",
            fields=[_identity(), ("at", _moment())],
            options={"table": "pulse", "app": "hive", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Downtime",
            fields=[
                _identity(),
                ("begun_at", _moment()),
                ("ended_at", _moment(db_index=True)),
                ("announced_by", fields.CharField(null=True, max_length=150)),
            ],
            options={"table": "downtime", "app": "hive", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.RunSQL(sql=[_KEEP_PREFERENCES, _ADD_PREFERENCES], reverse_sql=[]),
    ]
