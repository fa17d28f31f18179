"""Whose notifications a page shows: one's own; an administrator may name somebody."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from hive.services.accounts import users
from hive.services.accounts.users import UserInfo
from hive.services.overview import choices
from web.access import actor_of, user_of
from web.forms import query


@dataclass(frozen=True)
class Person:
    """`named`: their name, where it is not the one who looks."""

    user: UserInfo
    named: str | None

    def path(self, path: str, **values: object) -> str:
        """A path of these pages that goes on with the same person."""
        return query(path, user=self.named, **values)


async def person_of(request: web.Request) -> Person:
    """The one that `?user=` names; NotFound where the asker may not know of them."""
    viewer, name = user_of(request), request.query.get("user")
    if not name or name == viewer.name:
        return Person(viewer, None)
    found = await users.find_user(actor_of(request), name)
    return Person(found, found.name)


async def names_for(request: web.Request) -> list[str]:
    """Whom the one who looks may choose among; nobody has no choice."""
    return await choices.owners(actor_of(request))
