"""Tables, one file a concern."""

from __future__ import annotations

from hive.models.accounts import Group, Membership, User, WebSession
from hive.models.audit import AuditEntry, Installation
from hive.models.keys import Grant, Key, KeyShare
from hive.models.locations import Location
from hive.models.repositories import ConfigVersion, Repository, RepositoryShare, TrashEntry
from hive.models.sessions import Event, Session

__all__ = [
    "AuditEntry",
    "ConfigVersion",
    "Event",
    "Grant",
    "Group",
    "Installation",
    "Key",
    "KeyShare",
    "Location",
    "Membership",
    "Repository",
    "RepositoryShare",
    "Session",
    "TrashEntry",
    "User",
    "WebSession",
]
