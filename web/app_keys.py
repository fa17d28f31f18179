"""What the application and each request carry, by typed keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from hive.config.settings import WebSettings
from hive.services.accounts.users import UserInfo
from hive.services.sessions.live_feed import Followers
from web.assets import Assets
from web.book import Book
from web.flashes import Flashes
from web.kept_form import KeptForms

# Returns what is wrong, a short phrase each; nothing where all is well.
Health = Callable[[], Awaitable[Sequence[str]]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SETTINGS: web.AppKey[WebSettings] = web.AppKey("settings", WebSettings)
HEALTH: web.AppKey[Health] = web.AppKey("health")
ASSETS: web.AppKey[Assets] = web.AppKey("assets", Assets)
BOOK: web.AppKey[list[Book]] = web.AppKey("book")  # once it is read
FLASHES: web.AppKey[Flashes] = web.AppKey("flashes", Flashes)
KEPT_FORMS: web.AppKey[KeptForms] = web.AppKey("kept forms", KeptForms)
FOLLOWERS: web.AppKey[Followers] = web.AppKey("followers", Followers)

REQUEST_ID: web.RequestKey[str] = web.RequestKey("request id", str)
ADDRESS: web.RequestKey[str] = web.RequestKey("address of the visitor", str)
USER: web.RequestKey[UserInfo] = web.RequestKey("user", UserInfo)
