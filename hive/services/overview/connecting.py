"""How far a machine is on its way to its first backup: what the server has seen, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hive import clock
from hive.kinds import Access, ArchiveCreated
from hive.models import Grant, Session
from hive.services.keys import refused_keys
from hive.services.keys.refused_keys import RefusedKeyInfo
from hive.services.overview.details import Details, KeyOnRepository
from hive.services.overview.repository_head import Head, find_head
from hive.services.permissions import Actor
from hive.services.sessions import restores

_OF_A_RESTORE = 3  # objects; clients look at an archive's description after a backup
_RECENTLY = timedelta(hours=24)  # keys that were refused before are not told here


@dataclass(frozen=True, kw_only=True)
class Login:
    """The first time that somebody got in."""

    at: datetime
    key: str
    peer: str
    client: str | None


@dataclass(frozen=True, kw_only=True)
class Seen:
    """When the server saw each step first; None: not yet. `restored_at` is the newest one."""

    key_stored_at: datetime | None
    login: Login | None
    created_at: datetime | None
    backed_up_at: datetime | None
    restored_at: datetime | None

    @property
    def times(self) -> tuple[datetime | None, ...]:
        """In the order of the steps."""
        login = None if self.login is None else self.login.at
        return (
            self.key_stored_at,
            login,
            self.created_at,
            self.backed_up_at,
            self.restored_at,
        )


@dataclass(frozen=True, kw_only=True)
class Connection:
    """All that the page which connects a machine shows.

    key      the key that is to back up; None where no key may
    access   what the instructions go by: append-only as soon as one key is no more than that
    refused  keys that have tried to log in since yesterday, for who may manage the repository
    """

    head: Head
    key: KeyOnRepository | None
    access: Access
    seen: Seen
    refused: Sequence[RefusedKeyInfo]


async def connection(actor: Actor, repository_id: int) -> Connection:
    """How to connect a machine, and how far it is; NotFound unless the actor may see it."""
    head = await find_head(actor, repository_id)
    details = head.details
    writing = [one for one in details.keys if one.access != Access.READ_ONLY and one.is_usable]
    only_append = [one for one in writing if one.access == Access.APPEND_ONLY]
    return Connection(
        head=head,
        key=next(iter(only_append or writing), None),
        access=Access.FULL if writing and not only_append else Access.APPEND_ONLY,
        seen=await _seen(details),
        refused=await _refused(actor, repository_id) if head.may_manage else (),
    )


async def _seen(details: Details) -> Seen:
    repository = details.repository
    is_usable = any(one.is_usable for one in details.keys)
    grant = await Grant.filter(repository_id=repository.id).order_by("created_at").first()
    first = await Session.filter(repository_id=repository.id).order_by("started_at").first()
    restored = await restores.last_restore(repository.id, least_reads=_OF_A_RESTORE)
    return Seen(
        key_stored_at=grant.created_at if grant is not None and is_usable else None,
        login=None if first is None else _login(first),
        created_at=repository.initialized_at,
        backed_up_at=await _first_backup(repository.id, repository.last_backup_at),
        restored_at=None if restored is None else restored.at,
    )


def _login(row: Session) -> Login:
    return Login(at=row.started_at, key=row.key_name, peer=row.peer, client=row.client)


async def _first_backup(repository_id: int, last: datetime | None) -> datetime | None:
    if last is None:
        return None
    made = Session.filter(repository_id=repository_id, archive_created=ArchiveCreated.YES)
    first = await made.order_by("started_at").first()
    return last if first is None else first.started_at  # the oldest sessions are not kept for ever


async def _refused(actor: Actor, repository_id: int) -> list[RefusedKeyInfo]:
    since = clock.now() - _RECENTLY
    found = await refused_keys.list_refused(actor, repository_id=repository_id)
    return [one for one in found if one.last_seen_at >= since]
