"""Links that show the wall, and nothing else, to whoever has them: for screens without a login.

An administrator makes and revokes them. What such a link shows is asked for as an actor who sees
everything: `reader` gives it to the page of the wall alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hive import clock, memory, tokens
from hive.addresses import limit_group
from hive.database import transactional
from hive.errors import Conflict, Forbidden, NotFound
from hive.kinds import Role, Source
from hive.models import WallLink
from hive.services import audit, names, runtime
from hive.services.attempts import Tries
from hive.services.permissions import Actor, require_admin, require_sight

GUESSES_PER_MINUTE = 20  # of unknown links from one address
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,64}")
_MINUTE = timedelta(minutes=1)
_MOST = 50


@dataclass
class _Memory:
    guesses: Tries = field(default_factory=Tries)


@dataclass(frozen=True, kw_only=True)
class WallLinkInfo:
    id: int
    name: str
    created_at: datetime
    created_by: str
    last_used_at: datetime | None


@dataclass(frozen=True)
class NewWallLink:
    """The only time that the link itself is seen."""

    info: WallLinkInfo
    url: str


@transactional
async def add(actor: Actor, name: str) -> NewWallLink:
    """Make a link; best one for each screen, so that one can be revoked alone."""
    require_admin(actor)
    title = names.check_title(name, "link")
    if await WallLink.filter(name=title).exists():
        raise Conflict("There is a link %(title)s already.", field="name", title=title)
    if await WallLink.all().count() >= _MOST:
        raise Conflict("There are %(most)s links already: revoke one first.", most=_MOST)
    token = tokens.new()
    row = await WallLink.create(
        name=title,
        token_sha256=tokens.digest(token),
        created_at=clock.now(),
        created_by=actor.name[:150],
    )
    await audit.record(actor, "wall-link.add", f"wall link {title}")
    return NewWallLink(_info(row), f"{runtime.base_url()}/wall/{token}")


async def list_links(actor: Actor) -> list[WallLinkInfo]:
    require_sight(actor)
    return [_info(row) for row in await WallLink.all().order_by("name", "id")]


@transactional
async def revoke(actor: Actor, link_id: int) -> WallLinkInfo:
    """From now on the link shows nothing."""
    require_admin(actor)
    row = await WallLink.get_or_none(id=link_id)
    if row is None:
        raise NotFound("There is no such link.")
    await row.delete()
    await audit.record(actor, "wall-link.revoke", f"wall link {row.name}")
    return _info(row)


async def reader(token: str, address: str) -> Actor:
    """Who looks at the wall by a link. NotFound: it is none. Forbidden: too many guesses."""
    network, tries = limit_group(address), memory.of(_Memory)
    if tries.guesses.are_used_up(network, GUESSES_PER_MINUTE, _MINUTE):
        raise Forbidden("Too many unknown links. Try again later.")
    row = None
    if _TOKEN.fullmatch(token):
        row = await WallLink.get_or_none(token_sha256=tokens.digest(token))
    if row is None:
        tries.guesses.count(network)
        raise NotFound("This link shows nothing: it was revoked, or never was one.")
    now = clock.now()
    if row.last_used_at is None or now - row.last_used_at > _MINUTE:
        await WallLink.filter(id=row.id).update(last_used_at=now)
    return Actor(
        None, f"wall link {row.name}", role=Role.AUDITOR, source=Source.WEB, address=address
    )


def _info(row: WallLink) -> WallLinkInfo:
    return WallLinkInfo(
        id=row.id,
        name=row.name,
        created_at=row.created_at,
        created_by=row.created_by,
        last_used_at=row.last_used_at,
    )
