"""The routes before and around the login."""

from __future__ import annotations

from aiohttp import web

from web.pages.login import first_setup, logout, password, password_reset, resume, second_step

ROUTES = [
    web.get("/login", password.show),
    web.post("/login", password.submit),
    web.post("/login/passkey", password.submit_passkey),
    web.get("/login/second", second_step.show),
    web.post("/login/second", second_step.submit),
    web.post("/logout", logout.submit),
    web.get("/resume", resume.show),
    web.get("/forgot", password_reset.ask),
    web.post("/forgot", password_reset.submit_question),
    web.get("/reset/{token}", password_reset.show),
    web.post("/reset/{token}", password_reset.submit),
    web.get("/setup/{token}", first_setup.show),
    web.post("/setup/{token}", first_setup.submit),
]
