"""Who we are to browsers that make passkeys: nobody can talk us into being somebody else."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request
from aiohttp.web import Application

from hive import memory
from hive.config.settings import WebSettings
from hive.services import runtime
from hive.services.accounts.passkeys import RelyingParty
from hive.services.permissions import Actor
from tests.web.browser import NewBrowser
from web.app_keys import SETTINGS
from web.relying_party import relying_party


def party(headers: dict[str, str], **settings: object) -> RelyingParty | None:
    app = Application()
    app[SETTINGS] = WebSettings.model_validate(settings)
    return relying_party(make_mocked_request("GET", "/login", headers=headers, app=app))


def test_the_public_url_counts_whatever_the_visitor_says() -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    found = party(headers, public_url="https://hive.example.org:8443")
    assert found == RelyingParty("hive.example.org", "https://hive.example.org:8443")


def test_the_usual_port_is_no_part_of_an_origin() -> None:
    found = party({"Host": "x"}, public_url="https://hive.example.org:443")
    assert found == RelyingParty("hive.example.org", "https://hive.example.org")
    found = party({"Host": "LOCALHOST:80"})
    assert found == RelyingParty("localhost", "http://localhost")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8080", "[::1]:8080", "192.0.2.1", "hive.example.org", "", "[broken", "a:b:c"],
)
def test_where_no_browser_knows_passkeys_there_is_none(host: str) -> None:
    assert party({"Host": host}) is None


async def test_the_address_of_the_setup_counts_where_the_visitor_came_to_its_host(
    new_browser: NewBrowser, alice: Actor
) -> None:
    browser = await new_browser()
    hosts = ("hive.example.org", "localhost", "evil.example")
    for known, offered in (("https://hive.example.org", hosts[:2]), ("", hosts[1:2])):
        if known:
            runtime.store_public_url(known)
        else:
            memory.of(runtime.Started).public_url = None
        for host in hosts:
            page = (await browser.get("/login", headers={"Host": host})).text
            assert (f"&#34;rpId&#34;: &#34;{host}&#34;" in page) is (host in offered), host


async def test_https_before_a_proxy_is_believed_from_a_trusted_one_only(
    new_browser: NewBrowser, alice: Actor
) -> None:
    headers = {"Host": "hive.example.org", "X-Forwarded-Proto": "https"}
    for proxies, is_believed in ((("127.0.0.0/8",), True), (("10.0.0.0/8",), False), ((), False)):
        browser = await new_browser(trusted_proxies=proxies)
        page = (await browser.get("/login", headers=headers)).text
        assert ("&#34;rpId&#34;: &#34;hive.example.org&#34;" in page) is is_believed
