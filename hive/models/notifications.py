"""Notifications: who receives which, through which channel, and every attempt."""

from __future__ import annotations

from typing import Any

from tortoise import fields

from hive.kinds import AttemptOutcome, DeliveryState, Digest, Rest, Severity, ShareLevel
from hive.models.accounts import Group, User
from hive.models.fields import LongSentenceField, MomentField, SentenceField
from hive.models.repositories import Repository
from hive.models.table import Table


# What somebody wants to be notified of, besides rules; no row: the defaults.
class Preference(Table):
    id = fields.IntField(primary_key=True)
    user: fields.OneToOneRelation[User] = fields.OneToOneField(
        "hive.User", related_name="preference", on_delete=fields.CASCADE
    )
    reminder_hours = fields.IntField(default=12)
    expiration_days = fields.IntField(default=5)
    is_told_of_shared = fields.BooleanField(default=True)
    digest = fields.CharEnumField(
        Digest, description="Digest", max_length=10, default=Digest.WEEKLY
    )
    digest_hour = fields.IntField(default=7)  # in the user's time zone
    digest_weekday = fields.IntField(default=0)  # Monday
    # For administrators: critical events of all repositories, also where no rule asks for them.
    is_told_of_critical = fields.BooleanField(default=True, db_default=True)
    # For who has rules: what happens to events that none of them matches.
    rest = fields.CharEnumField(
        Rest, description="Rest", max_length=10, default=Rest.ALL, db_default="all"
    )
    # Whether their own mail address is used; the link in a mail switches that off.
    is_mailed = fields.BooleanField(default=True, db_default=True)

    class Meta:
        table = "preference"

    user_id: int


# Where notifications can go: a mail address, a chat, a program's URL.
class Channel(Table):
    id = fields.IntField(primary_key=True)
    owner: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "hive.User", related_name="channels", on_delete=fields.CASCADE
    )
    name = fields.CharField(max_length=150)
    kind = fields.CharField(max_length=20)  # a key of hive.notify.registry
    settings: fields.Field[dict[str, Any]] = fields.JSONField(
        default=dict
    )  # sealed: hive/services/secrets.py
    enabled = fields.BooleanField(default=True)
    created_at = MomentField()
    # How it is: hive/services/outbox/condition.py
    failing_since = MomentField(null=True)
    failures = fields.IntField(default=0, db_default=0)  # in a row
    next_try = MomentField(null=True)  # nothing is sent before
    last_error = SentenceField(max_length=500, default="", db_default="")
    refused_address = fields.CharField(max_length=64, null=True)  # a private one
    worked_at = MomentField(null=True)

    class Meta:
        table = "channel"
        unique_together = (("owner", "name"),)

    owner_id: int


# How mail to somebody's own address is: the same columns as of a channel.
class MailPlace(Table):
    id = fields.IntField(primary_key=True)
    user: fields.OneToOneRelation[User] = fields.OneToOneField(
        "hive.User", related_name="mail_place", on_delete=fields.CASCADE
    )
    failing_since = MomentField(null=True)
    failures = fields.IntField(default=0)
    next_try = MomentField(null=True)
    last_error = SentenceField(max_length=500, default="")
    worked_at = MomentField(null=True)

    class Meta:
        table = "mail_place"

    user_id: int


# A private network that an administrator allowed for notifications.
class AllowedNetwork(Table):
    id = fields.IntField(primary_key=True)
    network = fields.CharField(max_length=64, unique=True)  # CIDR
    created_by = fields.CharField(max_length=150)
    created_at = MomentField()

    class Meta:
        table = "allowed_network"


class ChannelShare(Table):
    id = fields.IntField(primary_key=True)
    channel: fields.ForeignKeyRelation[Channel] = fields.ForeignKeyField(
        "hive.Channel", related_name="shares", on_delete=fields.CASCADE
    )
    group: fields.ForeignKeyRelation[Group] = fields.ForeignKeyField(
        "hive.Group", related_name="channel_shares", on_delete=fields.CASCADE
    )
    level = fields.CharEnumField(
        ShareLevel, description="ShareLevel", max_length=10, default=ShareLevel.VIEW
    )
    expires_at = MomentField(null=True)

    class Meta:
        table = "channel_share"
        unique_together = (("channel", "group"),)

    channel_id: int
    group_id: int


# What of all that happens goes where. Null and empty match everything.
class Rule(Table):
    id = fields.IntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "hive.User", related_name="rules", on_delete=fields.CASCADE
    )
    name = fields.CharField(max_length=150)
    enabled = fields.BooleanField(default=True)
    repository: fields.ForeignKeyNullableRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="rules", on_delete=fields.CASCADE, null=True
    )
    tag = fields.CharField(max_length=50, null=True)
    owner: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "hive.User", related_name="rules_about", on_delete=fields.CASCADE, null=True
    )
    kinds: fields.Field[list[Any]] = fields.JSONField(default=list)  # EventKind
    severity = fields.CharEnumField(
        Severity, description="Severity", max_length=10, default=Severity.WARNING
    )  # the least
    quiet_from = fields.IntField(null=True)  # minutes since midnight in the user's time zone
    quiet_to = fields.IntField(null=True)
    is_quiet_for_critical = fields.BooleanField(default=False)
    # Whom else to notify of what nobody answers for so long: by a channel, or a user.
    escalate_after_minutes = fields.IntField(null=True)
    escalate_channel: fields.ForeignKeyNullableRelation[Channel] = fields.ForeignKeyField(
        "hive.Channel", related_name="escalations_of", on_delete=fields.SET_NULL, null=True
    )
    escalate_user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "hive.User", related_name="escalations_of", on_delete=fields.SET_NULL, null=True
    )
    created_at = MomentField()

    class Meta:
        table = "rule"
        unique_together = (("user", "name"),)

    user_id: int
    repository_id: int | None
    owner_id: int | None
    escalate_channel_id: int | None
    escalate_user_id: int | None


class RuleChannel(Table):
    id = fields.IntField(primary_key=True)
    rule: fields.ForeignKeyRelation[Rule] = fields.ForeignKeyField(
        "hive.Rule", related_name="channels", on_delete=fields.CASCADE
    )
    channel: fields.ForeignKeyRelation[Channel] = fields.ForeignKeyField(
        "hive.Channel", related_name="rules", on_delete=fields.CASCADE
    )

    class Meta:
        table = "rule_channel"
        unique_together = (("rule", "channel"),)

    rule_id: int
    channel_id: int


# One notification of one person.
class Notification(Table):
    id = fields.IntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "hive.User", related_name="notifications", on_delete=fields.CASCADE
    )
    key = fields.CharField(max_length=150)  # event:ID, digest:DAY, ...; once a person
    kind = fields.CharField(max_length=40)
    severity = fields.CharEnumField(Severity, description="Severity", max_length=10)
    repository: fields.ForeignKeyNullableRelation[Repository] = fields.ForeignKeyField(
        "hive.Repository", related_name="notifications", on_delete=fields.CASCADE, null=True
    )
    title = fields.CharField(max_length=300)
    text = fields.TextField()
    brief = fields.CharField(max_length=500, default="", db_default="")  # in a list of several
    # The problem that it is about, by which services recognize it: "repository-7/down".
    incident = fields.CharField(max_length=120, null=True)
    # The text in its parts, for channels that lay it out: hive/notify/layout.py
    layout: fields.Field[dict[str, Any] | None] = fields.JSONField(null=True)
    details: fields.Field[dict[str, Any]] = fields.JSONField(default=dict)
    at = MomentField()

    class Meta:
        table = "notification"
        unique_together = (("user", "key"),)
        indexes = (("repository_id", "at"), ("incident", "at"))

    user_id: int
    repository_id: int | None


# A notification on its way through one channel: the outbox.
class Delivery(Table):
    id = fields.IntField(primary_key=True)
    token = fields.CharField(max_length=64, unique=True)  # by which the service recognizes a copy
    notification: fields.ForeignKeyRelation[Notification] = fields.ForeignKeyField(
        "hive.Notification", related_name="deliveries", on_delete=fields.CASCADE
    )
    # Null: the person's own mail address, which needs no channel; or the channel was deleted.
    channel: fields.ForeignKeyNullableRelation[Channel] = fields.ForeignKeyField(
        "hive.Channel", related_name="deliveries", on_delete=fields.SET_NULL, null=True
    )
    channel_name = fields.CharField(max_length=150)
    channel_kind = fields.CharField(max_length=20)
    state = fields.CharEnumField(DeliveryState, description="DeliveryState", max_length=10)
    next_at = MomentField(null=True)  # null: nothing more is tried
    attempts = fields.IntField(default=0)
    created_at = MomentField()
    sent_at = MomentField(null=True)
    # Why it waits for others: hive/services/delivery/bundle_plans.py; empty: it does not.
    held = fields.CharField(max_length=10, default="", db_default="")
    bundle: fields.ForeignKeyNullableRelation[Delivery] = fields.ForeignKeyField(
        "hive.Delivery", related_name="bundled", on_delete=fields.SET_NULL, null=True
    )

    class Meta:
        table = "delivery"
        indexes = (("state", "next_at"), ("sent_at",))

    notification_id: int
    channel_id: int | None
    bundle_id: int | None


class DeliveryAttempt(Table):
    id = fields.IntField(primary_key=True)
    delivery: fields.ForeignKeyRelation[Delivery] = fields.ForeignKeyField(
        "hive.Delivery", related_name="tries", on_delete=fields.CASCADE
    )
    at = MomentField()
    seconds = fields.FloatField(null=True)
    outcome = fields.CharEnumField(AttemptOutcome, description="AttemptOutcome", max_length=20)
    answer = LongSentenceField()  # what the service said, or why it could not be reached

    class Meta:
        table = "delivery_attempt"

    delivery_id: int


# What somebody else is notified of later unless it is answered before; a rule asked for it.
class Escalation(Table):
    id = fields.IntField(primary_key=True)
    rule: fields.ForeignKeyRelation[Rule] = fields.ForeignKeyField(
        "hive.Rule", related_name="escalations", on_delete=fields.CASCADE
    )
    notification: fields.ForeignKeyRelation[Notification] = fields.ForeignKeyField(
        "hive.Notification", related_name="escalations", on_delete=fields.CASCADE
    )
    incident = fields.CharField(max_length=120, db_index=True)
    due_at = MomentField(null=True)  # null: it was done

    class Meta:
        table = "escalation"
        unique_together = (("rule", "incident"),)
        indexes = (("due_at",),)

    rule_id: int
    notification_id: int


# A link in a message that was used: each works once. The link itself is signed, not stored.
class UsedLink(Table):
    id = fields.IntField(primary_key=True)
    delivery: fields.ForeignKeyRelation[Delivery] = fields.ForeignKeyField(
        "hive.Delivery", related_name="used_links", on_delete=fields.CASCADE
    )
    action = fields.CharField(max_length=20)
    at = MomentField()
    address = fields.CharField(max_length=64)

    class Meta:
        table = "used_link"
        unique_together = (("delivery", "action"),)

    delivery_id: int
