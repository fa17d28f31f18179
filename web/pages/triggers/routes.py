"""The routes of triggers."""

from __future__ import annotations

from aiohttp import web

from web.forms import ID
from web.pages.triggers import forms, triggers

ROUTES = [
    web.get(f"/repositories/{ID}/triggers", triggers.show_all),
    web.get(f"/repositories/{ID}/triggers/add", forms.show_add),
    web.post(f"/repositories/{ID}/triggers/add", forms.add),
    web.get(f"/triggers/{ID}", triggers.show),
    web.get(f"/triggers/{ID}/edit", forms.show_edit),
    web.post(f"/triggers/{ID}/edit", forms.edit),
    web.post(f"/triggers/{ID}/start", triggers.start),
    web.post(f"/triggers/{ID}/enable", triggers.enable),
    web.post(f"/triggers/{ID}/disable", triggers.disable),
    web.get(f"/triggers/{ID}/delete", triggers.show_delete),
    web.post(f"/triggers/{ID}/delete", triggers.delete),
    web.get(f"/triggers/runs/{ID}", triggers.show_run),
]
