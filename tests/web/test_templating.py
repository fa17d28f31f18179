from __future__ import annotations

import threading
from typing import Any

import aiohttp_jinja2
import jinja2
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from hive.services.permissions import Actor
from tests import factories
from tests.web.browser import Browser, NewBrowser
from web import rendering
from web.assets import Assets
from web.rendering import set_up_templates
from web.templating import Templates

_PAGES = ("/", "/repositories/add", "/machines/add", "/keys", "/events", "/sessions", "/account")


class _Watched(Templates):
    """Notes in which thread each template was compiled."""

    compiled: dict[str, int]

    def compile(self, source: Any, name: str | None = None, *args: Any, **options: Any) -> Any:
        if name is not None:
            self.compiled[name] = threading.get_ident()
        return super().compile(source, name, *args, **options)


async def test_no_template_is_compiled_in_the_event_loop(
    alice: Actor, new_browser: NewBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Watched, "compiled", {}, raising=False)
    monkeypatch.setattr(rendering, "Templates", _Watched)
    made = await factories.make_repository(alice)
    browser = await new_browser()
    assert (await browser.get("/nowhere")).status in (200, 303, 404)
    await browser.log_in("alice")
    for path in (*_PAGES, f"/repositories/{made.id}"):
        assert (await browser.get(path)).status == 200, path
    assert (await browser.get("/nowhere")).status == 404
    assert len(_Watched.compiled) > 12
    assert threading.get_ident() not in _Watched.compiled.values()


def test_a_template_is_ready_when_all_that_it_needs_is_compiled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_Watched, "compiled", {}, raising=False)
    texts = {
        "page": '{% extends "base" %}{% block main %}{% include "row" %}{% endblock %}',
        "base": '{% import "parts" as parts %}{% block main %}{% endblock %}',
        "parts": "",
        "row": "",
        "other": "",
    }
    templates = _Watched(loader=jinja2.DictLoader(texts))
    assert not templates.is_ready("page")
    templates.prepare("page")
    assert templates.is_ready("page")
    assert set(_Watched.compiled) == {"page", "base", "parts", "row"}


@pytest.mark.parametrize("text", ["{% if %}", "{{ nothing }}"])
async def test_a_template_that_is_wrong_is_an_error_each_time(
    browser: Browser, alice: Actor, text: str
) -> None:
    await browser.log_in("alice")
    server = browser.client.server
    assert isinstance(server, TestServer)
    templates = server.app[aiohttp_jinja2.APP_KEY]
    assert templates.loader is not None
    wrong = jinja2.DictLoader({"account/account.html": text})
    templates.loader = jinja2.ChoiceLoader([wrong, templates.loader])
    for _ in range(2):
        answer = await browser.get("/account")
        assert answer.status == 500
        assert "Something went wrong here" in answer.text


def test_what_is_installed_is_not_looked_at_again() -> None:
    assert not set_up_templates(web.Application(), Assets()).auto_reload
