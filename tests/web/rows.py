"""Rows as the gate writes them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hive import clock
from hive.kinds import Access, EndReason, Mode, Need
from hive.models import Key, Repository, Session
from hive.services.sessions import failures


def public_key() -> str:
    """A new public key as one line."""
    public = Ed25519PrivateKey.generate().public_key()
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


async def add_session(repository_id: int, *, minutes_ago: float = 5, **given: Any) -> Session:
    """A session that went well a few minutes ago, unless `given` says otherwise."""
    repository = await Repository.get(id=repository_id)
    begun = clock.now() - timedelta(minutes=minutes_ago)
    key = await Key.get_or_none(id=given["key_id"]) if "key_id" in given else None
    values: dict[str, Any] = {
        "repository_id": repository_id,
        "login": repository.login,
        "key_fingerprint": key.fingerprint if key else "SHA256:" + "x" * 43,
        "key_name": key.name if key else "laptop",
        "peer": "192.0.2.17",
        "client": "SSH-2.0-OpenSSH_9.6",
        "command": "borg serve --umask=077",
        "need": Need.BORG,
        "mode": Mode.BORG,
        "access": Access.FULL,
        "operation": "write",
        "started_at": begun,
        "ended_at": begun + timedelta(seconds=192),
        "bytes_in": 1_400_000_000,
        "bytes_out": 3_400,
        "exit_status": 0,
        "end_reason": EndReason.DONE,
        "node": "here",
    }
    session = await Session.create(**{**values, **given})
    if session.ended_at is not None:
        await failures.note_end(session)
    return session


RUNNING: dict[str, Any] = {
    "ended_at": None,
    "end_reason": None,
    "exit_status": None,
    "operation": None,
    "bytes_in": None,
    "bytes_out": None,
}


async def put_on_disk(repository_id: int, size: int = 812_000_000_000) -> None:
    await Repository.filter(id=repository_id).update(initialized_at=clock.now(), size_bytes=size)
