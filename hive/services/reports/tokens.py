"""The tokens that clients report with: shown once, stored as a hash, several a repository."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hive import clock, memory, tokens
from hive.addresses import limit_group
from hive.database import transactional
from hive.errors import Conflict, Forbidden, InvalidInput, NotFound
from hive.kinds import Level
from hive.models import PingToken, Repository
from hive.services import audit, names, runtime
from hive.services.attempts import Tries
from hive.services.permissions import Actor, repository_for

_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,64}")
REPORTS_PER_MINUTE = 60  # of one token
GUESSES_PER_MINUTE = 20  # of unknown tokens from one address
_MOST = 50  # tokens of one repository
_MINUTE = timedelta(minutes=1)


@dataclass
class _Memory:
    reports: Tries = field(default_factory=Tries)
    guesses: Tries = field(default_factory=Tries)


@dataclass(frozen=True, kw_only=True)
class PingTokenInfo:
    id: int
    repository_id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True)
class NewPingToken:
    """The only time that the token itself is seen."""

    info: PingTokenInfo
    token: str
    url: str
    push_url: str  # the same for clients of Uptime Kuma


@dataclass(frozen=True)
class Admitted:
    """A token that is known: what it may report for."""

    token_id: int
    repository_id: int
    token: str


@transactional
async def add_token(actor: Actor, repository_id: int, name: str) -> NewPingToken:
    """Make a token; best one for each machine, so that one can be revoked alone."""
    repository = await repository_for(actor, repository_id, Level.MANAGE)
    title = names.check_title(name, "ping token")
    mine = PingToken.filter(repository_id=repository.id)
    if await mine.filter(name=title).exists():
        raise Conflict(
            "The repository has a ping token %(title)s already.", field="name", title=title
        )
    if await mine.count() >= _MOST:
        raise Conflict(
            "A repository has at most %(most)s ping tokens: delete one first.", most=_MOST
        )
    token = tokens.new()
    row = await PingToken.create(
        repository_id=repository.id,
        name=title,
        token_sha256=tokens.digest(token),
        created_at=clock.now(),
    )
    await audit.record(actor, "ping-token.add", _subject(row, repository))
    base = runtime.base_url()
    return NewPingToken(_info(row), token, f"{base}/ping/{token}", f"{base}/api/push/{token}")


async def list_tokens(actor: Actor, repository_id: int) -> list[PingTokenInfo]:
    await repository_for(actor, repository_id, Level.VIEW)
    return [
        _info(row) for row in await PingToken.filter(repository_id=repository_id).order_by("id")
    ]


@transactional
async def delete_token(actor: Actor, repository_id: int, reference: str) -> PingTokenInfo:
    """Revoke the token of this name or id; what it reported stays."""
    repository = await repository_for(actor, repository_id, Level.MANAGE)
    rows = [
        row
        for row in await PingToken.filter(repository_id=repository.id)
        if row.name == reference or row.id == names.as_id(reference)
    ]
    if not rows:
        raise NotFound("The repository has no ping token %(reference)r.", reference=reference)
    if len(rows) > 1:
        raise InvalidInput(
            "%(reference)r is the name of one and the id of another.", reference=reference
        )
    return await _delete(actor, rows[0], repository)


async def _delete(actor: Actor, row: PingToken, repository: Repository) -> PingTokenInfo:
    await row.delete()
    await audit.record(actor, "ping-token.delete", _subject(row, repository))
    return _info(row)


async def get_token(actor: Actor, token_id: int) -> PingTokenInfo:
    row, _ = await _get(actor, token_id, Level.VIEW)
    return _info(row)


@transactional
async def delete_token_by_id(actor: Actor, token_id: int) -> PingTokenInfo:
    """Revoke just this token."""
    row, repository = await _get(actor, token_id, Level.MANAGE)
    return await _delete(actor, row, repository)


async def _get(actor: Actor, token_id: int, level: Level) -> tuple[PingToken, Repository]:
    row = await PingToken.get_or_none(id=token_id)
    if row is None:
        raise NotFound("There is no such ping token.")
    try:
        return row, await repository_for(actor, row.repository_id, level)
    except NotFound:
        raise NotFound("There is no such ping token.") from None


async def admit(token: str, address: str) -> Admitted | None:
    """Who reports, or None for what is no token. Forbidden: too many reports, or guesses."""
    network, tries = limit_group(address), memory.of(_Memory)
    row = None
    if _TOKEN.fullmatch(token):
        known = PingToken.filter(token_sha256=tokens.digest(token), repository__deleted_at=None)
        row = await known.first()
    if row is None:
        if tries.guesses.are_used_up(network, GUESSES_PER_MINUTE, _MINUTE):
            raise Forbidden("Too many unknown tokens. Try again later.")
        tries.guesses.count(network)
        return None
    who = str(row.id)
    if tries.reports.are_used_up(who, REPORTS_PER_MINUTE, _MINUTE):
        raise Forbidden("Too many reports with this token. Try again later.")
    tries.reports.count(who)
    return Admitted(row.id, row.repository_id, token)


def _info(row: PingToken) -> PingTokenInfo:
    return PingTokenInfo(
        id=row.id,
        repository_id=row.repository_id,
        name=row.name,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
    )


def _subject(row: PingToken, repository: Repository) -> str:
    return f"ping token {row.name} of repository {repository.name} ({repository.login})"
