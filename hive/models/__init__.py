"""Tables, one file a concern.

What a table is stands in a comment above its class: the ORM would make a docstring part of the
schema, and a better sentence would be a migration.
"""

from __future__ import annotations

from hive.models.accounts import Group, Membership, User, WebSession
from hive.models.audit import AuditEntry, Installation
from hive.models.keys import Grant, Key, KeyShare, RefusedKey
from hive.models.locations import Location
from hive.models.repositories import ConfigVersion, Repository, RepositoryShare, TrashEntry
from hive.models.sessions import Event, Session
from hive.models.statistics import Alarm, Inspection, Statistic

__all__ = [
    "Alarm",
    "AuditEntry",
    "ConfigVersion",
    "Event",
    "Grant",
    "Group",
    "Inspection",
    "Installation",
    "Key",
    "KeyShare",
    "Location",
    "Membership",
    "RefusedKey",
    "Repository",
    "RepositoryShare",
    "Session",
    "Statistic",
    "TrashEntry",
    "User",
    "WebSession",
]
