"""Which columns each table has as CSV; their names are those of the command line's `--json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hive.services.accounts.groups import GroupInfo
from hive.services.accounts.users import UserInfo
from hive.services.audit import AuditInfo
from hive.services.events import EventInfo
from hive.services.keys.infos import KeyInfo
from hive.services.notifications.history import DeliveryInfo, NotificationInfo
from hive.services.overview.rows import Row
from hive.services.reports.reports import RunInfo
from hive.services.sessions.infos import SessionInfo
from hive.services.storage.locations import LocationInfo
from web.csv_file import Table

REPOSITORIES: Table[Row] = Table(
    "repositories",
    {
        "id": lambda one: one.id,
        "name": lambda one: one.name,
        "owner": lambda one: one.owner,
        "login": lambda one: one.login,
        "mode": lambda one: one.mode,
        "state": lambda one: one.condition,
        "schedule": lambda one: one.health.schedule.in_words,
        "due_at": lambda one: one.health.due_at,
        "last_backup_at": lambda one: one.last_backup_at,
        "size_bytes": lambda one: one.size_bytes,
        "quota_bytes": lambda one: one.quota_bytes,
        "week_change_bytes": lambda one: one.week_change,
        "tags": lambda one: one.health.tags,
        "created_at": lambda one: one.created_at,
    },
)
SESSIONS: Table[SessionInfo] = Table(
    "sessions",
    {
        "id": lambda one: one.id,
        "repository": lambda one: one.repository,
        "login": lambda one: one.login,
        "key": lambda one: one.key,
        "key_fingerprint": lambda one: one.key_fingerprint,
        "peer": lambda one: one.peer,
        "client": lambda one: one.client,
        "borg_version": lambda one: one.borg_version,
        "mode": lambda one: one.mode,
        "access": lambda one: one.access,
        "operation": lambda one: one.operation,
        "archive_created": lambda one: one.archive_created,
        "started_at": lambda one: one.started_at,
        "ended_at": lambda one: one.ended_at,
        "bytes_in": lambda one: one.bytes_in,
        "bytes_out": lambda one: one.bytes_out,
        "bytes_added": lambda one: one.bytes_added,
        "bytes_removed": lambda one: one.bytes_removed,
        "exit_status": lambda one: one.exit_status,
        "end_reason": lambda one: one.end_reason,
        "error": lambda one: one.error,
    },
)
EVENTS: Table[EventInfo] = Table(
    "events",
    {
        "id": lambda one: one.id,
        "at": lambda one: one.at,
        "repository": lambda one: one.repository,
        "kind": lambda one: one.kind,
        "message": lambda one: one.message,
        "session": lambda one: one.session_id,
    },
)
KEYS: Table[KeyInfo] = Table(
    "keys",
    {
        "id": lambda one: one.id,
        "name": lambda one: one.name,
        "owner": lambda one: one.owner,
        "type": lambda one: one.type,
        "bits": lambda one: one.bits,
        "fingerprint": lambda one: one.fingerprint,
        "comment": lambda one: one.comment,
        "enabled": lambda one: one.enabled,
        "expires_at": lambda one: one.expires_at,
        "networks": lambda one: one.networks,
        "groups": lambda one: one.groups,
        "repositories": lambda one: [f"{use.repository}:{use.access}" for use in one.uses],
        "last_used_at": lambda one: one.last_used_at,
        "created_at": lambda one: one.created_at,
    },
)
USERS: Table[UserInfo] = Table(
    "users",
    {
        "id": lambda one: one.id,
        "name": lambda one: one.name,
        "email": lambda one: one.email,
        "is_admin": lambda one: one.is_admin,
        "role": lambda one: one.role,
        "enabled": lambda one: one.enabled,
        "groups": lambda one: one.groups,
        "quota_bytes": lambda one: one.quota_bytes,
        "last_login_at": lambda one: one.last_login_at,
        "created_at": lambda one: one.created_at,
    },
)
GROUPS: Table[GroupInfo] = Table(
    "groups",
    {
        "id": lambda one: one.id,
        "name": lambda one: one.name,
        "members": lambda one: one.members,
        "quota_bytes": lambda one: one.quota_bytes,
        "created_at": lambda one: one.created_at,
    },
)
LOCATIONS: Table[LocationInfo] = Table(
    "locations",
    {
        "id": lambda one: one.id,
        "name": lambda one: one.name,
        "host": lambda one: one.host,
        "port": lambda one: one.port,
        "root": lambda one: one.root,
        "repositories": lambda one: one.repositories,
        "free_bytes": lambda one: one.free_bytes,
        "problem": lambda one: one.problem,
    },
)
AUDIT: Table[AuditInfo] = Table(
    "audit",
    {
        "id": lambda one: one.id,
        "at": lambda one: one.at,
        "actor": lambda one: one.actor,
        "behind": lambda one: one.behind,
        "source": lambda one: one.source,
        "address": lambda one: one.address,
        "action": lambda one: one.action,
        "subject": lambda one: one.subject,
        "details": lambda one: _as_json(one.details),
    },
)
NOTIFICATIONS: Table[NotificationInfo] = Table(
    "notifications",
    {
        "id": lambda one: one.id,
        "at": lambda one: one.at,
        "user": lambda one: one.user,
        "kind": lambda one: one.kind,
        "severity": lambda one: one.severity,
        "repository": lambda one: one.repository,
        "title": lambda one: one.title,
        "channels": lambda one: [f"{way.channel}:{way.state}" for way in one.ways],
    },
)
DELIVERIES: Table[DeliveryInfo] = Table(
    "deliveries",
    {
        "id": lambda one: one.id,
        "created_at": lambda one: one.created_at,
        "user": lambda one: one.user,
        "title": lambda one: one.title,
        "channel": lambda one: one.channel,
        "state": lambda one: one.state,
        "attempts": lambda one: one.attempts,
        "next_at": lambda one: one.next_at,
        "sent_at": lambda one: one.sent_at,
    },
)
REPORTS: Table[RunInfo] = Table(
    "reports",
    {
        "id": lambda one: one.id,
        "repository": lambda one: one.repository,
        "token": lambda one: one.token,
        "state": lambda one: one.state,
        "verdict": lambda one: one.verdict,
        "started_at": lambda one: one.started_at,
        "ended_at": lambda one: one.ended_at,
        "exit_status": lambda one: one.exit_status,
        "peer": lambda one: one.peer,
    },
)


def _as_json(details: Mapping[str, Any]) -> str:
    return json.dumps(details, ensure_ascii=False, sort_keys=True) if details else ""
