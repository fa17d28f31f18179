"""The web application: its routes and what every request passes on its way."""

from __future__ import annotations

from aiohttp import web

from hive.config.settings import Settings
from hive.services.sessions.live_feed import Followers
from web.app_keys import ASSETS, BOOK, FLASHES, FOLLOWERS, HEALTH, KEPT_FORMS, SETTINGS, Health
from web.assets import Assets
from web.connection import keep_deadlines
from web.flashes import Flashes
from web.forms import MAX_BODY
from web.headers import add_headers
from web.kept_form import KeptForms
from web.middleware.address import know_the_visitor
from web.middleware.errors import tell_errors
from web.middleware.kept import refuse_what_is_lost
from web.middleware.logging import note_requests
from web.middleware.reader import know_the_reader
from web.middleware.same_origin import refuse_other_sites
from web.middleware.web_session import require_login
from web.pages import live
from web.rendering import set_up_templates
from web.routes import ROUTES


def create_app(settings: Settings, *, health: Health) -> web.Application:
    """The application; the caller knows address and port, and has started the services.

    `health` says what is wrong with the server as a whole, for /healthz.
    """
    app = web.Application(
        middlewares=[
            know_the_visitor,
            keep_deadlines,
            note_requests,
            know_the_reader,
            tell_errors,
            refuse_what_is_lost,
            refuse_other_sites,
            require_login,
        ],
        client_max_size=MAX_BODY,
    )
    assets = Assets()
    app[SETTINGS] = settings.web
    app[HEALTH] = health
    app[ASSETS] = assets
    app[BOOK] = []
    app[FLASHES] = Flashes()
    app[KEPT_FORMS] = KeptForms()
    app[FOLLOWERS] = Followers(
        per_login=settings.web.max_streams_per_login, per_user=settings.web.max_streams_per_user
    )
    app.on_shutdown.append(live.end_all)
    set_up_templates(app, assets)
    app.on_response_prepare.append(add_headers)
    app.add_routes(ROUTES)
    return app
