"""What others wrote is shown, and does nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from hive.kinds import Access, EventKind
from hive.models import (
    AuditEntry,
    Channel,
    DeliveryAttempt,
    Event,
    Group,
    Key,
    Location,
    Notification,
    Passkey,
    PingToken,
    RefusedKey,
    Repository,
    Rule,
    Run,
    Session,
    Trigger,
    TriggerRun,
    User,
    WebSession,
)
from hive.services.keys import keys
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from tests.web.browser import Browser
from tests.web.pages import pages_of
from tests.web.rows import RUNNING, add_session, public_key, put_on_disk
from tests.web.scene import add_passkey, make_scene
from web.app_keys import FLASHES
from web.flashes import Flash

SCRIPT = "<script>alert(1)</script>"
QUOTES = "\"'><img src=x onerror=alert(1)>"
TURNED = "safe\u202egnp.exe\u2066\u200b"
CONTROL = "a\x00b\x1b[2Jc\r\nSet-Cookie: x\x85\u2028"
TEMPLATE = "{{ 7*7 }}{% raw %}"
HOSTILE = [SCRIPT, QUOTES, TURNED, CONTROL, TEMPLATE, "</title></style>", "🐝" * 500, "x" * 10_000]


class Reader(HTMLParser):
    """Elements that stand open, and all that could run or fetch something."""

    EMPTY = ("col", "meta", "link", "img", "input", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.suspects: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.EMPTY:
            self.open.append(tag)
        for name, value in attrs:
            if name == "style" or name.startswith("on"):
                self.suspects.append(name)
            if name in ("src", "href", "action") and not re.match(r"/[^/]", (value or "") + " "):
                is_on_the_page = value is not None and value.startswith("#")
                if not is_on_the_page:
                    self.suspects.append(f"{name}={value}")
        if tag == "script" and not any(name == "src" for name, _ in attrs):
            self.suspects.append("script")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.EMPTY:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag, f"</{tag}>"


def check(text: str) -> None:
    """Well nested, and nothing in it that runs or comes from elsewhere."""
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    assert reader.suspects == []
    for character in "\u202e\u2066\u200b\x00\x1b\x85\u2028":
        assert character not in text
    assert "49" not in re.findall(r"<bdi>(.*?)</bdi>", text)


@pytest.mark.parametrize("text", HOSTILE)
async def test_what_clients_send_is_shown_and_does_nothing(
    browser: Browser, alice: Actor, text: str
) -> None:
    await keys.add_key(alice, keys.AddKey(name="laptop", owner="alice", text=public_key()))
    made = await catalogue.add_repository(
        alice, "documents", owner="alice", accesses={"laptop": Access.FULL}
    )
    await put_on_disk(made.id)
    sent: dict[str, Any] = {"client": text[:255], "command": text, "borg_version": text[:40]}
    sent |= {"key_name": text[:150], "peer": text[:64], "operation": text[:40]}
    await add_session(made.id, **sent)
    await add_session(made.id, minutes_ago=1, **{**sent, **RUNNING})
    session = await add_session(made.id, minutes_ago=0.5, **sent)
    await Event.create(
        repository_id=made.id,
        kind=EventKind.REFUSED,
        message=text[:1000],
        at=session.started_at,
    )
    await Key.all().update(name=text[:150])
    await Repository.all().update(maintenance=text[:200])
    await browser.log_in("alice")
    here = f"/repositories/{made.id}"
    tabs = [f"{here}/{one}" for one in ("sessions", "history", "keys", "connect", "settings")]
    for path in ("/", here, *tabs):
        answer = await browser.get(path)
        assert answer.status == 200
        check(answer.text)
        assert len(answer.text) < 60_000
        await Repository.all().update(maintenance=None)
        check((await browser.get(path)).text)


@pytest.mark.parametrize("text", HOSTILE)
async def test_names_that_came_past_the_rules_do_nothing(
    browser: Browser, alice: Actor, text: str
) -> None:
    """No service lets such a name in; an import or another program may have."""
    made = await catalogue.add_repository(alice, "documents", owner="alice")
    await Repository.all().update(name=text[:100])
    await browser.log_in("alice")
    await User.filter(id=alice.user_id).update(name=text[:150])
    here = f"/repositories/{made.id}"
    tabs = [f"{here}/{one}" for one in ("sessions", "history", "keys", "connect", "settings")]
    for path in ("/", here, *tabs):
        answer = await browser.get(path)
        assert answer.status == 200
        check(answer.text)


@pytest.mark.parametrize(
    "text", [*HOSTILE, "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")]
)
async def test_what_is_typed_into_the_login_form_does_nothing(
    browser: Browser, root: Actor, text: str
) -> None:
    answer = await browser.log_in(text)
    assert answer.status == 401
    check(answer.text)
    check((await browser.get("/login", params={"next": text})).text)


@pytest.mark.parametrize("path", ["/<script>", "/%3Cscript%3E", "/%E2%80%AE", "/?x=<script>"])
async def test_what_stands_in_an_address_is_not_repeated(
    browser: Browser, alice: Actor, path: str
) -> None:
    await browser.log_in("alice")
    answer = await browser.get(path)
    assert answer.status in (200, 404)
    check(answer.text)


async def test_every_page_is_well_nested(browser: Browser, alice: Actor) -> None:
    for path in ("/login", "/setup/guess", "/nothing"):
        check((await browser.get(path)).text)
    await browser.log_in("alice")
    for path in ("/", "/nothing"):
        check((await browser.get(path)).text)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.varied(3)
async def test_no_page_does_anything_with_what_is_stored(browser: Browser, text: str) -> None:
    """Every name, comment, address and sentence there is; as after an import from elsewhere."""
    scene = await make_scene()
    await browser.log_in("root")
    await add_passkey("root")
    await Repository.all().update(name=text[:100])
    await Passkey.all().update(name=text[:150])
    await WebSession.all().update(user_agent=text[:300], address=text[:64])
    await Key.all().update(comment=text[:255])
    for model, limit in ((Key, 150), (User, 150), (Group, 150), (Location, 100)):
        for row in await model.all():
            await model.filter(id=row.id).update(name=f"{row.id}{text}"[:limit])
    await User.all().update(email=text[:254])
    await RefusedKey.all().update(peer=text[:64])
    await AuditEntry.all().update(
        actor=text[:150], subject=text[:300], action=text[:60], details={text[:40]: text}
    )
    sent = {"key_name": text[:150], "peer": text[:64], "client": text[:255], "command": text}
    told = {"borg_version": text[:40], "operation": text[:40], "error": text}
    await Session.all().update(**sent, **told)
    await Event.all().update(message=text[:1000])
    await Channel.all().update(name=text[:150])
    await Rule.all().update(name=text[:150], tag=text[:50])
    await Notification.all().update(title=text[:300], text=text)
    await DeliveryAttempt.all().update(answer=text)
    await Trigger.all().update(name=text[:150], cron=text[:100], timezone=text[:64])
    await TriggerRun.all().update(
        message=text, asked_by=text[:150], external_id=text[:100], link=f"javascript:{text}"[:2000]
    )
    await PingToken.all().update(name=text[:150])
    await Run.all().update(log=text, peer=text[:64], user_agent=text[:300])
    for path in pages_of(browser.client.app, scene):
        answer = await browser.get(path)
        assert answer.status == 200, path
        if answer.headers["Content-Type"] == "application/json; charset=utf-8":
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        else:
            check(answer.text)
        assert len(answer.text) < 250_000, path


@pytest.mark.parametrize("text", HOSTILE)
async def test_what_is_typed_into_a_form_comes_back_and_does_nothing(
    browser: Browser, text: str
) -> None:
    scene = await make_scene()
    await browser.log_in("root")
    words = ("name", "public_key", "expires", "networks", "quota", "owner", "email", "host", "port")
    typed = dict.fromkeys((*words, "access", "mode", "key", "root", "location"), text[:300])
    typed["name"] = text
    for pattern in (
        "/keys/add",
        "/keys/{id}",
        "/keys/refused/{id}",
        "/repositories/add",
        "/machines/add",
        "/repositories/change",
        "/repositories/{id}/connect",
        "/keys/{id}/replace",
        "/repositories/{id}/edit",
        "/repositories/{id}/keys",
        "/repositories/{id}/mode",
        "/repositories/{id}/delete",
        "/admin/users/add",
        "/admin/users/{id}",
        "/admin/groups/add",
        "/admin/locations/add",
        "/admin/locations/{id}",
    ):
        answer = await browser.post(scene.path(pattern), typed)
        assert answer.status in (422, 409, 404), f"{pattern}: {answer.status}"
        check(answer.text)
        if answer.status == 422:
            assert 'class="problem summary"' in answer.text


@pytest.mark.parametrize("text", HOSTILE)
async def test_what_is_typed_of_ones_own_account_comes_back_and_does_nothing(
    browser: Browser, text: str
) -> None:
    scene = await make_scene()
    await browser.log_in("root")
    await add_passkey("root")
    words = ("timezone", "language", "theme", "email", "password", "new", "repeated", "code")
    typed = {**dict.fromkeys(words, text[:300]), "name": text}
    for pattern in (
        "/account",
        "/account/email",
        "/account/second-factor/app",
        "/account/second-factor/recovery-codes",
        "/account/passkeys/{id}",
        "/account/passkeys/{id}/delete",
        "/account/password",
    ):
        answer = await browser.post(scene.path(pattern), typed)
        assert answer.status in (422, 409, 303), f"{pattern}: {answer.status}"
        check(answer.text)
        check((await browser.get("/account/second-factor")).text)


@pytest.mark.parametrize("text", HOSTILE)
async def test_filters_and_messages_do_nothing(browser: Browser, root: Actor, text: str) -> None:
    await browser.log_in("root")
    for path, name in (
        ("/sessions", "key"),
        ("/sessions", "state"),
        ("/sessions", "repository"),
        ("/events", "kind"),
        ("/admin/audit", "by"),
        ("/admin/audit", "action"),
        ("/events", "before"),
        ("/repositories/change", "q"),
        ("/repositories/change", "state"),
        ("/repositories.csv", "tag"),
    ):
        answer = await browser.get(path, params={name: text[:2000]})
        assert answer.status in (200, 422), f"{path} {name}"
        check(answer.text)
    assert browser.token is not None
    browser.client.app[FLASHES].add(browser.token, Flash(text))
    page = await browser.get("/keys")
    check(page.text)
    assert 'class="flash done"' in page.text
    assert 'class="flash' not in (await browser.get("/keys")).text
