"""Which routes need a login (all but those that say otherwise), and who is logged in."""

from __future__ import annotations

from typing import Any, TypeVar

from aiohttp import web

from hive.kinds import Source
from hive.services.accounts.login import Visitor
from hive.services.accounts.users import UserInfo
from hive.services.permissions import Actor
from web.app_keys import ADDRESS, USER
from web.cookies import browser_of

T = TypeVar("T")

_public: set[object] = set()


def public(handler: T) -> T:
    """Declare that this handler answers strangers too."""
    _public.add(handler)
    return handler


def is_public(handler: Any) -> bool:  # noqa: ANN401 - aiohttp keeps handlers of several kinds
    return handler in _public


def user_of(request: web.Request) -> UserInfo:
    """Who is logged in; only for handlers that are not public."""
    return request[USER]


def actor_of(request: web.Request) -> Actor:
    return actor_for(request, user_of(request))


def actor_for(request: web.Request, user: UserInfo) -> Actor:
    return user.actor(Source.WEB, request[ADDRESS])


def visitor_of(request: web.Request) -> Visitor:
    return Visitor(request[ADDRESS], request.headers.get("User-Agent", ""), browser_of(request))
