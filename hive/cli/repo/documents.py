"""How a repository looks as JSON and on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from hive.cli import output
from hive.kinds import Health, Mode
from hive.services.health.infos import HealthInfo
from hive.services.repositories.infos import RepositoryInfo
from hive.services.repositories.locks import LockInfo


def document(info: RepositoryInfo) -> dict[str, Any]:
    deleted = {} if info.deleted_at is None else {"deleted_at": output.time(info.deleted_at)}
    return {
        "id": info.id,
        "name": info.name,
        "login": info.login,
        "owner": info.owner,
        "groups": [share.group for share in info.groups],
        "location": info.location,
        "mode": info.mode,
        "path": str(info.path),
        "url": info.url,
        "keys": [
            {"fingerprint": key.fingerprint, "name": key.name, "access": key.access}
            for key in info.keys
        ],
        "quota_bytes": info.quota_bytes,
        "size_bytes": info.size_bytes,
        "state": info.state,
        "last_backup_at": output.time(info.last_backup_at),
        "last_access_at": output.time(info.last_access_at),
        "created_at": output.time(info.created_at),
        "last_backup_is_estimated": info.last_backup_is_estimated,
        "maybe_backup_at": output.time(info.maybe_backup_at),
        "strict_paths": info.strict_paths,
        "storage": "unavailable" if info.is_away else "ok",
        "vanished_at": output.time(info.vanished_at),
        **deleted,
    }


def fields(info: RepositoryInfo) -> dict[str, Any]:
    """The same for people."""
    return {
        **document(info),
        "groups": [f"{share.group} ({share.level})" for share in info.groups],
        "keys": [f"{key.fingerprint} {key.name}, {key.access}" for key in info.keys],
        "quota_bytes": output.size(info.quota_bytes),
        "size_bytes": output.size(info.size_bytes),
        "state": f"{info.state}; {info.maintenance}" if info.maintenance else info.state,
    }


def lock_mark(locks: Sequence[LockInfo]) -> str:
    """One word for the list of repositories."""
    if any(lock.is_stale for lock in locks):
        return "stale"
    if any(lock.is_exclusive for lock in locks):
        return "exclusive"
    return "shared" if locks else ""


def first_steps(info: RepositoryInfo, health: HealthInfo) -> str:
    """What its owner does next, ready to copy, and when a backup is expected."""
    return (
        f"Repository {info.name} was added.\n\n  {info.url}\n\n  {_next_command(info)}\n\n"
        f"{_expectation(health)}\n"
    )


def _expectation(health: HealthInfo) -> str:
    if health.health == Health.UNWATCHED:
        return "It is not watched: use `hive repo set` with --every or --cron to expect backups."
    return f"Backups expected: {health.schedule.description}."


def _next_command(info: RepositoryInfo) -> str:
    if info.mode == Mode.BORG:
        return f"borg init --encryption=repokey-blake2 {info.url}"
    parts = urlsplit(info.url)
    port = f" -e 'ssh -p {parts.port}'" if parts.port else ""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    there = f"{info.login}@{host}:"
    return f"rsync -a{port} " + (
        f"SOURCE/ {there}" if info.mode == Mode.IMPORT else f"{there} TARGET"
    )
