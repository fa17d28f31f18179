"""How a repository looks as JSON and on the terminal."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from hive.cli import output
from hive.kinds import Mode
from hive.services.repositories import RepositoryInfo


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


def first_steps(info: RepositoryInfo) -> str:
    """What its owner does next, ready to copy."""
    return f"Repository {info.name} was added.\n\n  {info.url}\n\n  {_next_command(info)}\n"


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
