"""Channels in the browser: forms of their settings, real tests, and secrets that stay secret."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar

import pytest
from pydantic import Field

from hive.kinds import ShareLevel
from hive.models import Channel
from hive.notify import registry
from hive.notify.channel import Channel as Kind
from hive.notify.channel import ChannelSettings, Means
from hive.notify.message import Message
from hive.sentences import Sentence
from hive.services import runtime
from hive.services.accounts import groups
from hive.services.notifications import channels, rules
from hive.services.notifications.rules import AddRule
from hive.services.permissions import OPERATOR, Actor
from hive.services.secrets import settings_of
from tests.another_process import started
from tests.notify.far_end import FarEnd, far_end
from tests.web.browser import Browser
from tests.web.notices import HERE, TOKEN, phone
from web.text.i18n import Reader, reading, sentence


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch, alice: Actor) -> AsyncIterator[FarEnd]:
    """A real server on this machine, which an administrator lets notifications reach."""
    settings = runtime.settings()
    allowed = settings.notifications.model_copy(update={"allowed_networks": ("127.0.0.0/8",)})
    monkeypatch.setattr(
        started(), "settings", settings.model_copy(update={"notifications": allowed})
    )
    async with far_end() as end:
        yield end


async def test_a_webhook_is_added_and_tried_and_what_the_far_end_answers_is_shown(
    browser: Browser, alice: Actor, server: FarEnd
) -> None:
    await browser.log_in("alice")
    chosen = (await browser.get(f"{HERE}/channels/add")).text
    assert 'href="/notifications/channels/add?kind=webhook"' in chosen
    form = (await browser.get(f"{HERE}/channels/add?kind=webhook")).text
    assert '<textarea id="headers"' in form
    assert '<option value="PUT">' in form
    typed = {"kind": "webhook", "name": "hook", "url": f"{server.url}/in?key={TOKEN}"}
    typed |= {"method": "PUT", "content_type": "application/json", "body": ""}
    typed |= {"headers": "X-One: 1\r\nX-Two: 2\r\n", "secret": "s" * 20}
    added = await browser.post(f"{HERE}/channels/add", typed)
    assert added.status == 303
    first = server.received.pop()  # sent when it was added
    assert first.json()["kind"] == "test"
    assert "Sent. The answer was: " in (await browser.get(added.location)).text
    server.answers(202, "queued as <b>17</b>")
    tried = await browser.post(f"{added.location}/test")
    assert (tried.status, tried.location) == (303, added.location)
    page = (await browser.get(added.location)).text
    assert "Sent. The answer was: " in page
    assert "queued as &lt;b&gt;17&lt;/b&gt;" in page
    assert server.only.method == "PUT"
    assert server.only.json()["kind"] == "test"
    assert {name: server.only.headers[name] for name in ("X-One", "X-Two")} == {
        "X-One": "1",
        "X-Two": "2",
    }
    server.answers(403, f"wrong key {TOKEN}")
    await browser.post(f"{added.location}/test")
    page = (await browser.get(added.location)).text
    assert 'class="flash problem"' in page
    assert "403" in page
    assert TOKEN not in page


async def test_what_a_test_may_not_reach_is_told_as_it_is(browser: Browser, alice: Actor) -> None:
    settings = {"url": "http://127.0.0.1:1/x"}
    made = await channels.add(alice, "hook", owner="alice", kind="webhook", settings=settings)
    await browser.log_in("alice")
    await browser.post(f"{HERE}/channels/{made.id}/test")
    page = (await browser.get(f"{HERE}/channels/{made.id}")).text
    assert "Not delivered: " in page
    assert "notifications.allowed_networks" in page


async def test_a_secret_is_on_no_page_and_stays_when_it_is_left_empty(
    browser: Browser, alice: Actor
) -> None:
    made = await phone(alice)
    await browser.log_in("alice")
    path = f"{HERE}/channels/{made.id}"
    pages = [(await browser.get(one)).text for one in (path, f"{HERE}/channels", f"{path}/delete")]
    assert all(TOKEN not in page for page in pages)
    assert "It is set: leave it empty to keep it." in pages[0]
    typed = {"name": "phone", "enabled": "yes", "server": "https://ntfy.example.org"}
    assert (await browser.post(path, {**typed, "topic": "other", "token": ""})).status == 303
    row = await Channel.get(id=made.id)
    assert (settings_of(row)["topic"], settings_of(row)["token"]) == ("other", TOKEN)
    wrong = await browser.post(path, {**typed, "topic": "no good", "token": "tk_new-and-secret"})
    assert wrong.status == 422
    assert "tk_new-and-secret" not in wrong.text
    assert "enter them only to change them" in wrong.text
    assert (await browser.post(path, {**typed, "topic": "a", "token": "tk_new"})).status == 303
    assert settings_of(await Channel.get(id=made.id))["token"] == "tk_new"
    removed = {**typed, "topic": "a", "token": "", "remove-token": "yes"}
    assert (await browser.post(path, removed)).status == 303
    assert "token" not in settings_of(await Channel.get(id=made.id))


async def test_a_wrong_setting_is_told_at_its_field_and_what_was_typed_stays(
    browser: Browser, alice: Actor
) -> None:
    await browser.log_in("alice")
    typed = {"kind": "ntfy", "name": "my phone", "server": "https://ntfy.example.org"}
    answer = await browser.post(f"{HERE}/channels/add", {**typed, "topic": "a b", "token": TOKEN})
    assert answer.status == 422
    assert '<a href="#topic">Topic</a>' in answer.text
    assert 'aria-describedby="problem-topic hint-topic"' in answer.text
    assert 'value="my phone"' in answer.text
    assert 'value="a b"' in answer.text
    assert TOKEN not in answer.text
    nameless = await browser.post(f"{HERE}/channels/add", {**typed, "topic": "a", "name": ""})
    assert '<a href="#name">Name</a>' in nameless.text
    await phone(alice, "my phone")
    twice = await browser.post(f"{HERE}/channels/add", {**typed, "topic": "a"})
    assert twice.status == 409
    assert "There is a channel my phone of this owner already." in twice.text


async def test_saving_a_channel_unchanged_changes_nothing(browser: Browser, alice: Actor) -> None:
    made = await phone(alice)
    before = await Channel.get(id=made.id)
    await browser.log_in("alice")
    typed = {"name": "phone", "enabled": "yes", "topic": "backups"}
    typed |= {"server": "https://ntfy.example.org", "token": ""}
    assert (await browser.post(f"{HERE}/channels/{made.id}", typed)).status == 303
    after = await Channel.get(id=made.id)
    assert settings_of(after) == settings_of(before)
    assert (after.name, after.enabled) == (before.name, before.enabled)


async def test_kinds_for_administrators_are_offered_to_them_alone(
    browser: Browser, root: Actor, alice: Actor
) -> None:
    await browser.log_in("alice")
    assert "Apprise" not in (await browser.get(f"{HERE}/channels/add")).text
    for kind in ("apprise", "pigeon", "../x"):
        assert (await browser.get(f"{HERE}/channels/add", params={"kind": kind})).status == 404
        forged = {"kind": kind, "name": "x", "url": "prowl://" + "0123456789" * 4}
        assert (await browser.post(f"{HERE}/channels/add", forged)).status == 404
    await browser.log_in("root")
    assert "Apprise" in (await browser.get(f"{HERE}/channels/add")).text
    form = (await browser.get(f"{HERE}/channels/add?kind=apprise")).text
    assert '<option value="root"' in form
    assert '<option value="alice"' not in form
    assert not await Channel.exists()


async def test_nobody_adds_a_channel_for_somebody_else(
    browser: Browser, alice: Actor, bob: Actor
) -> None:
    await browser.log_in("bob")
    typed = {"kind": "email", "name": "x", "address": "b@example.org", "owner": "alice"}
    assert (await browser.post(f"{HERE}/channels/add", typed)).status == 303
    assert [one.owner for one in await channels.list_channels(OPERATOR)] == ["bob"]


async def test_a_channel_is_shared_and_who_may_only_use_it_sees_no_form(
    browser: Browser, root: Actor, alice: Actor, bob: Actor
) -> None:
    await groups.add_group(root, groups.AddGroup(name="family", members=["alice", "bob"]))
    made = await phone(alice)
    path = f"{HERE}/channels/{made.id}"
    typed = {"name": "phone", "enabled": "yes", "topic": "backups"}
    await browser.log_in("bob")
    assert (await browser.get(path)).status == 404
    await browser.log_in("alice")
    await browser.post(path, {**typed, "share-family": "view"})
    assert (await channels.find_by_id(alice, made.id)).shares[0].level == ShareLevel.VIEW
    await browser.log_in("bob")
    shown = (await browser.get(path)).text
    assert "It is shared, to be used in rules" in shown
    assert 'name="topic"' not in shown
    assert (await browser.post(f"{path}/test")).status == 403
    await browser.log_in("alice")
    await browser.post(path, {**typed, "share-family": ""})
    assert (await channels.find_by_id(alice, made.id)).shares == ()


async def test_before_a_channel_is_deleted_its_rules_are_named(
    browser: Browser, alice: Actor
) -> None:
    made = await phone(alice)
    await rules.add(alice, "alice", AddRule(name="at night", channels=[made.id]))
    await browser.log_in("alice")
    path = f"{HERE}/channels/{made.id}/delete"
    assert "<li><bdi>at night</bdi></li>" in (await browser.get(path)).text
    # a rule that came after the page was made
    assert (await browser.post(path)).location == path
    assert "is used by rules: at night." in (await browser.get(path)).text
    assert (await browser.post(path, {"with_rules": "yes"})).location == f"{HERE}/channels"
    assert not await Channel.exists()


async def test_a_channel_that_another_version_wrote_is_shown_and_set_up_anew(
    browser: Browser, alice: Actor
) -> None:
    made, gone = await phone(alice), await phone(alice, "gone")
    await Channel.filter(id=made.id).update(settings={"address": "x"})
    await Channel.filter(id=gone.id).update(kind="pigeon")
    await browser.log_in("alice")
    for one in (made, gone):
        page = await browser.get(f"{HERE}/channels/{one.id}")
        assert page.status == 200
        assert "enter them again" in page.text
    typed = {"name": "phone", "enabled": "yes", "topic": "new", "server": ""}
    assert (await browser.post(f"{HERE}/channels/{made.id}", typed)).status == 303
    assert (await channels.find_by_id(alice, made.id)).settings["topic"] == "new"
    await browser.post(f"{HERE}/channels/{gone.id}", {"name": "renamed"})
    assert (await channels.find_by_id(alice, gone.id)).name == "renamed"


class FlagSettings(ChannelSettings):
    loud: bool = Field(True, title="Loud", description="Whether it makes a noise.")


class Flag(Kind[FlagSettings]):
    kind: ClassVar[str] = "flag"
    title: ClassVar[str] = "Flag"
    settings_model = FlagSettings

    @classmethod
    def describe(cls, settings: FlagSettings) -> str:
        return "loud" if settings.loud else "silent"

    @classmethod
    async def deliver(cls, settings: FlagSettings, message: Message, means: Means) -> str:
        return "heard"


async def test_a_setting_that_is_yes_or_no_is_a_box(
    browser: Browser, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.CHANNELS, "flag", Flag)
    await browser.log_in("alice")
    form = (await browser.get(f"{HERE}/channels/add?kind=flag")).text
    assert 'id="loud" name="loud" type="checkbox" value="yes" checked' in form
    added = await browser.post(f"{HERE}/channels/add", {"kind": "flag", "name": "x"})
    page = (await browser.get(added.location)).text
    assert "silent" in page
    assert 'name="loud" type="checkbox" value="yes" checked' not in page
    await browser.post(added.location, {"name": "x", "loud": "yes"})
    assert "<bdi>loud</bdi>" in (await browser.get(added.location)).text


def test_no_setting_is_called_like_what_every_form_has() -> None:
    taken = {"name", "kind", "owner", "enabled", "main", "status", "user"}
    for kind in channels.kinds():
        assert taken.isdisjoint(field.name for field in kind.fields), kind.kind


def test_every_setting_is_told_in_german_too() -> None:
    for kind in channels.kinds():
        for field in kind.fields:
            assert isinstance(field.title, Sentence), field.name
            assert not field.description or isinstance(field.description, Sentence), field.name
    with reading(Reader("de")):
        assert sentence("Signing secret") == "Geheimnis zum Signieren"
