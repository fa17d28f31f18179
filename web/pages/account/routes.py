"""The routes of one's own account."""

from __future__ import annotations

from aiohttp import web

from web.forms import ID
from web.pages.account import account, appearance, authenticator_app, passkeys, second_factor

ROUTES = [
    web.post("/appearance", appearance.submit),
    web.get("/account", account.show),
    web.post("/account", account.submit),
    web.get("/account/email", account.show_email),
    web.post("/account/email", account.submit_email),
    web.get("/account/password", account.show_password),
    web.post("/account/password", account.submit_password),
    web.get("/account/sessions", account.show_sessions),
    web.post("/account/sessions/end-others", account.end_other_sessions),
    web.post(f"/account/sessions/{ID}/end", account.end_session),
    web.get("/account/second-factor", second_factor.show_factors),
    web.get("/account/second-factor/app", authenticator_app.show),
    web.post("/account/second-factor/app", authenticator_app.confirm),
    web.get("/account/second-factor/app/qr.svg", authenticator_app.show_qr),
    web.post("/account/second-factor/app/begin", authenticator_app.begin),
    web.post("/account/second-factor/app/remove", authenticator_app.remove),
    web.get("/account/second-factor/recovery-codes", second_factor.show),
    web.post("/account/second-factor/recovery-codes", second_factor.submit),
    web.get("/account/passkeys/new", passkeys.show_new),
    web.post("/account/passkeys/new", passkeys.begin),
    web.post("/account/passkeys", passkeys.add),
    web.get(f"/account/passkeys/{ID}", passkeys.show),
    web.post(f"/account/passkeys/{ID}", passkeys.rename),
    web.post(f"/account/passkeys/{ID}/delete", passkeys.delete),
]
