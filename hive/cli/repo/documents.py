"""How a repository looks as JSON and on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from hive.cli import output
from hive.cli.repo.health import alarm_line, expectation, health_sentence
from hive.formats import moment
from hive.kinds import Mode
from hive.services.health.infos import HealthInfo
from hive.services.repositories.infos import RepositoryInfo, state_in_words
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


def headline(info: RepositoryInfo, health: HealthInfo) -> dict[str, Any]:
    """What people want to know first."""
    return {
        "repository": f"{info.owner}/{info.name}",
        "state": _state(info, health),
        "alarms": [alarm_line(one) for one in health.alarms],
        "URL": info.url,
        "last backup": _last_backup(info),
        "next expected": output.when(health.due_at),
        "size": _size(info),
    }


def _state(info: RepositoryInfo, health: HealthInfo) -> str:
    if info.deleted_at is not None:
        return f"in the trash since {moment(info.deleted_at)}"
    words = health_sentence(health)
    if info.maintenance or info.is_away:
        return f"{words}; {state_in_words(info)}"
    return words


def _last_backup(info: RepositoryInfo) -> str | None:
    if info.last_backup_at is None:
        return "none yet"
    about = "about " if info.last_backup_is_estimated else ""
    return f"{about}{output.when(info.last_backup_at)}"


def _size(info: RepositoryInfo) -> str | None:
    if info.quota_bytes is None:
        return None if info.size_bytes is None else output.size(info.size_bytes)
    used = info.size_bytes or 0
    percent = f" ({100 * used // info.quota_bytes} %)" if info.quota_bytes else ""
    return f"{output.size(used)} of {output.size(info.quota_bytes)}{percent}"


def fields(info: RepositoryInfo) -> dict[str, Any]:
    """What the repository is, for people; what the headline says is not repeated."""
    return {
        "keys": [f"{key.fingerprint} {key.name}, {key.access}" for key in info.keys],
        "groups": [f"{share.group} ({share.level})" for share in info.groups],
        "mode": info.mode,
        "may be a backup": info.maybe_backup_at,
        "last access": info.last_access_at,
        "created": info.created_at,
        "content vanished": info.vanished_at,
        "login": info.login,
        "location": info.location,
        "path": info.path,
        "accepted paths": "the one in the URL only" if info.strict_paths else "former ones, too",
        "id": info.id,
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
        f"{expectation(health)}\n"
    )


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
