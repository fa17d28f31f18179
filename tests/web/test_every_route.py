"""What holds for all routes, those of tomorrow included: the routes are read from the app."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aiohttp import web

from hive.kinds import Access
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from tests.web.browser import Browser, NewBrowser
from tests.web.conftest import Health
from web.access import is_public

PUBLIC = {
    "GET /login",
    "POST /appearance",
    "POST /login",
    "POST /login/passkey",
    "GET /login/second",
    "POST /login/second",
    "GET /forgot",
    "POST /forgot",
    "GET /reset/{token}",
    "POST /reset/{token}",
    "GET /setup/{token}",
    "POST /setup/{token}",
    "GET /healthz",
    "GET /static/{name}",
    "GET /manifest.webmanifest",
    "GET /wall/{token}",
    "GET /answer/{token}",
    "POST /answer/{token}",
    "GET /ping/{token}{rest}",
    "POST /ping/{token}{rest}",
    "GET /api/push/{token}",
    "POST /api/push/{token}",
}
VALUES = {"id": "1", "token": "guess", "name": "app.css", "rest": "/start"}
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Server": "borg-hive",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self';"
    " connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)


def routes(browser: Browser) -> Iterator[tuple[web.AbstractRoute, str, str]]:
    """Each route with its pattern and a path that leads there."""
    app = browser.client.app
    assert isinstance(app, web.Application)
    for route in app.router.routes():
        assert route.resource is not None
        pattern = route.resource.canonical
        path = pattern
        for name, value in VALUES.items():
            path = path.replace(f"{{{name}}}", value)
        assert "{" not in path, "give the new variable a value in VALUES"
        yield route, pattern, path


async def test_only_these_routes_are_for_strangers(browser: Browser) -> None:
    open_to_all = {
        f"{route.method} {pattern}"
        for route, pattern, _ in routes(browser)
        if is_public(route.handler) and route.method != "HEAD"
    }
    assert open_to_all == PUBLIC


async def test_strangers_get_nowhere_and_learn_nothing(browser: Browser, alice: Actor) -> None:
    made = await catalogue.add_repository(alice, "very-secret-name", owner="alice")
    walked = 0
    for route, _, path in routes(browser):
        answer = await browser.ask(route.method, path)
        if not is_public(route.handler):
            walked += 1
            assert answer.status in (303, 401), path
            if answer.status == 303:
                assert answer.location.startswith("/login")
        for secret in ("very-secret-name", made.login, "alice"):
            assert secret not in answer.text
    assert walked >= 4


async def test_a_path_that_leads_nowhere_looks_like_any_other_to_strangers(
    browser: Browser,
) -> None:
    for path in ("/nothing", "/admin", "/repositories/x", "/metrics", "/repositories/9999999999"):
        assert (await browser.get(path)).location.startswith("/login")
        assert (await browser.ask("POST", path)).status == 401


@pytest.mark.parametrize("token", ["x", "", "a" * 5000, "é", "../../etc"])
async def test_an_invented_cookie_is_no_login(browser: Browser, token: str) -> None:
    answer = await browser.get("/", headers={"Cookie": f"hive={token}"})
    assert (answer.status, answer.location) == (303, "/login")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "nonsense"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "SELF"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://[broken"},
        {"Origin": "http://127.0.0.1"},  # our address at another port
        {},  # a browser always says one of the two when it sends a form
    ],
)
async def test_no_other_site_can_send_our_forms(
    browser: Browser, alice: Actor, headers: dict[str, str]
) -> None:
    """Alice is logged in and looks at mallory's page, which submits a form of ours."""
    await browser.log_in("alice")
    token = browser.token
    sent = {name: browser.origin if value == "SELF" else value for name, value in headers.items()}
    walked = 0
    for route, _, path in routes(browser):
        if route.method in ("GET", "HEAD"):
            continue
        walked += 1
        answer = await browser.ask(route.method, path, headers=sent)
        assert answer.status == 403, path
        assert "another site" in answer.text
    assert walked >= 3
    assert browser.token == token
    assert (await browser.get("/")).status == 200


async def test_our_own_forms_pass_by_either_header(browser: Browser, alice: Actor) -> None:
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": browser.origin}):
        await browser.log_in("alice")
        assert (await browser.ask("POST", "/logout", headers=headers)).status == 303


async def test_behind_a_proxy_that_changes_the_host_the_public_url_counts(
    new_browser: NewBrowser, alice: Actor
) -> None:
    browser = await new_browser(public_url="https://hive.example.org")
    data = {"name": "alice", "password": "wrong"}
    for origin, status in (
        ("https://hive.example.org", 401),
        ("http://hive.example.org", 403),  # in clear: anybody on the way could have made it
        (browser.origin, 403),
        ("https://hive.example.org.evil.example", 403),
    ):
        answer = await browser.ask("POST", "/login", data=data, headers={"Origin": origin})
        assert answer.status == status, origin


async def test_looking_changes_nothing(browser: Browser, alice: Actor) -> None:
    await browser.log_in("alice")
    for path in ("/logout", "/login?name=alice&password=x", "/setup/x?name=a&password=b"):
        for method in ("GET", "HEAD"):
            assert (await browser.ask(method, path)).status in (303, 403, 405)
    assert (await browser.get("/")).status == 200


async def test_every_answer_carries_the_security_headers(
    browser: Browser, alice: Actor, health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    await catalogue.add_repository(alice, "documents", owner="alice", accesses={})
    answers = [await browser.get("/"), await browser.get("/login"), await browser.get("/healthz")]
    answers.append(await browser.get("/static/app.css"))
    answers.append(await browser.get("/setup/guess"))
    await browser.log_in("alice")
    answers += [await browser.get(path) for path in ("/", "/repositories/1", "/nothing")]
    answers.append(await browser.get("/repositories/1?before=x"))
    answers.append(await browser.ask("DELETE", "/", headers={"Origin": browser.origin}))
    health.problems = ["database"]
    answers.append(await browser.get("/healthz"))
    monkeypatch.setattr("hive.services.overview.rows.rows_of", None)
    answers.append(await browser.get("/"))
    statuses = [answer.status for answer in answers]
    assert statuses == [303, 200, 200, 200, 403, 200, 200, 404, 422, 405, 503, 500]
    for answer in answers:
        assert answer.headers["Content-Security-Policy"] == POLICY
        assert {name: answer.headers.get(name) for name in ALWAYS} == ALWAYS
        assert "geolocation=()" in answer.headers["Permissions-Policy"]
        assert "Strict-Transport-Security" not in answer.headers
        assert len(answer.headers.getall("Content-Security-Policy")) == 1


async def test_https_is_remembered_only_where_the_public_url_says_so(
    new_browser: NewBrowser,
) -> None:
    for url, said in (("https://hive.example.org", True), ("http://hive.example.org", False)):
        browser = await new_browser(public_url=url)
        answer = await browser.get("/login")
        assert ("Strict-Transport-Security" in answer.headers) is said


async def test_pages_are_not_kept_and_files_are_kept_for_ever_by_their_content(
    browser: Browser,
) -> None:
    page = await browser.get("/login")
    assert page.headers["Cache-Control"] == "no-store"
    url = page.text.partition('rel="stylesheet" href="')[2].partition('"')[0]
    exact = await browser.get(url)
    assert exact.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert exact.headers["Content-Type"] == "text/css; charset=utf-8"
    assert (await browser.get(url + "0")).headers["Cache-Control"] == "no-cache"
    assert (await browser.get("/static/app.css")).headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "name", ["..%2fapp.py", "%2e%2e/app.py", "..%5capp.py", "%00", "", "nothing.css", "app.css/"]
)
async def test_no_other_file_is_served(browser: Browser, name: str) -> None:
    head = await browser.raw(
        f"GET /static/{name} HTTP/1.1\r\nHost: hive\r\nConnection: close\r\n\r\n"
    )
    assert head.split(" ")[1] in ("303", "404", "400")
    assert "create_app" not in head


async def test_who_shares_nothing_learns_nothing(
    browser: Browser, alice: Actor, charlie: Actor
) -> None:
    """For charlie, alice's repository and one that never was are the same."""
    made = await catalogue.add_repository(
        alice, "very-secret-name", owner="alice", accesses=dict[str, Access]()
    )
    await browser.log_in("charlie")
    theirs = await browser.get(f"/repositories/{made.id}")
    nobodys = await browser.get("/repositories/4711")
    assert theirs.status == nobodys.status == 404
    assert theirs.text == nobodys.text
    assert "very-secret-name" not in (await browser.get("/")).text
