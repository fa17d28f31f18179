"""Tables, one file a concern.

A comment above its class describes a table: the ORM would make a docstring part of the
schema, and a better sentence would be a migration.
"""

from __future__ import annotations

from hive import quick_orm  # noqa: F401 - before anything imports the ORM
from hive.models.accounts import Group, Membership, User, WallLink, WebSession
from hive.models.addresses import AddressRecord, AddressRule
from hive.models.audit import AuditEntry, ClockState, Installation
from hive.models.downtimes import Downtime, Pulse
from hive.models.jobs import Job, Upkeep
from hive.models.keys import Grant, Key, KeyShare, RefusedKey
from hive.models.locations import Location
from hive.models.moves import Move
from hive.models.notifications import (
    AllowedNetwork,
    Channel,
    ChannelShare,
    Delivery,
    DeliveryAttempt,
    Escalation,
    MailPlace,
    Notification,
    Preference,
    Rule,
    RuleChannel,
    UsedLink,
)
from hive.models.proofs import Invitation, KnownBrowser, Passkey, PasswordReset, RecoveryCode, Totp
from hive.models.repositories import (
    BackupDay,
    ConfigVersion,
    FormerPath,
    HealthChange,
    Repository,
    RepositoryShare,
    RepositoryTag,
    Rollback,
    TrashEntry,
)
from hive.models.sessions import Event, Session
from hive.models.statistics import Alarm, Inspection, Statistic
from hive.models.triggers import PingToken, Run, Trigger, TriggerRun

__all__ = [
    "AddressRecord",
    "AddressRule",
    "Alarm",
    "AllowedNetwork",
    "AuditEntry",
    "BackupDay",
    "Channel",
    "ChannelShare",
    "ClockState",
    "ConfigVersion",
    "Delivery",
    "DeliveryAttempt",
    "Downtime",
    "Escalation",
    "Event",
    "FormerPath",
    "Grant",
    "Group",
    "HealthChange",
    "Inspection",
    "Installation",
    "Invitation",
    "Job",
    "Key",
    "KeyShare",
    "KnownBrowser",
    "Location",
    "MailPlace",
    "Membership",
    "Move",
    "Notification",
    "Passkey",
    "PasswordReset",
    "PingToken",
    "Preference",
    "Pulse",
    "RecoveryCode",
    "RefusedKey",
    "Repository",
    "RepositoryShare",
    "RepositoryTag",
    "Rollback",
    "Rule",
    "RuleChannel",
    "Run",
    "Session",
    "Statistic",
    "Totp",
    "TrashEntry",
    "Trigger",
    "TriggerRun",
    "Upkeep",
    "UsedLink",
    "User",
    "WallLink",
    "WebSession",
]
