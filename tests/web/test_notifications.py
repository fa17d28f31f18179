"""What was told, deliveries and preferences in the browser; hostile words on all these pages."""

from __future__ import annotations

import pytest

from hive import clock
from hive.kinds import AttemptOutcome, DeliveryState
from hive.models import Channel, Delivery, DeliveryAttempt, Notification, Rule
from hive.services.notifications import channels, preferences, rules
from hive.services.notifications.rules import AddRule
from hive.services.permissions import OPERATOR, Actor
from hive.services.repositories import catalogue
from tests.web.browser import Browser
from tests.web.notices import HERE, delivery, notification, phone
from tests.web.scene import make_scene
from tests.web.test_hostile_text import HOSTILE, check

PREFERENCES = {
    "reminder_hours": "12",
    "expiration_days": "5",
    "digest": "weekly",
    "digest_hour": "7",
    "digest_weekday": "0",
}


async def test_what_was_told_shows_how_bad_it_was_and_what_became_of_it(
    browser: Browser, alice: Actor, bob: Actor
) -> None:
    made = await catalogue.add_repository(alice, "documents", owner="alice")
    told = await notification(
        alice, repository_id=made.id, details={"repository": "documents"}, title="A title."
    )
    await delivery(told, DeliveryState.SENT)
    await delivery(told, DeliveryState.DEAD, channel_name="x", channel_kind="own mail", token="2")
    await notification(bob, "event:2", title="Only for bob.")
    await browser.log_in("alice")
    text = (await browser.get(HERE)).text
    assert "Only for bob." not in text
    assert f'href="/repositories/{made.id}"' in text
    for words in ("A title.", "critical</span>", "sent</span>", "given up</span>"):
        assert words in text
    assert "own mail address" in text
    assert "See whether the client is on." in text
    await catalogue.set_repository(OPERATOR, made.id, owner="bob")
    text = (await browser.get(HERE)).text
    assert f'href="/repositories/{made.id}"' not in text
    assert "<bdi>documents</bdi>" in text


async def test_who_cannot_be_told_anything_is_warned(browser: Browser, alice: Actor) -> None:
    await browser.log_in("alice")
    assert "Nothing can be sent" in (await browser.get(HERE)).text
    made = await phone(alice)
    assert "Nothing can be sent" not in (await browser.get(HERE)).text
    await channels.change(alice, made.id, enabled=False)
    await rules.add(alice, "alice", AddRule(name="night", channels=[made.id]))
    assert "Nothing can be sent" in (await browser.get(HERE)).text


async def test_long_lists_have_an_older_page(browser: Browser, alice: Actor) -> None:
    for number in range(51):
        told = await notification(alice, f"event:{number}", title=f"Number {number}.")
        await delivery(told, DeliveryState.SENT)
    await browser.log_in("alice")
    for path in (HERE, f"{HERE}/deliveries"):
        first = (await browser.get(path)).text
        assert "Number 50." in first
        assert "Number 0." not in first
        older = first.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
        last = (await browser.get(older)).text
        assert "Number 0." in last
        assert "Number 1." not in last
        assert f'<a href="{path}" accesskey="p">Newest' in last
        assert (await browser.get(f"{path}?before=x")).status == 422


async def test_a_delivery_that_was_given_up_is_sent_again(
    browser: Browser, alice: Actor, bob: Actor
) -> None:
    given_up = await _given_up_and_sent(alice)
    await browser.log_in("alice")
    path = f"{HERE}/deliveries"
    everything = (await browser.get(path)).text
    assert everything.count("Send again</button>") == 1
    assert "It went." in everything
    dead = (await browser.get(f"{path}?dead=yes")).text
    assert "It went." not in dead
    assert "ntfy answered 403: forbidden" in dead
    assert "permanent failure" in dead
    again = f"{path}/{given_up.id}/repeat"
    answer = await browser.post(again, {"next": f"{path}?dead=yes"})
    assert answer.location == f"{path}?dead=yes"
    assert "It is being sent again." in (await browser.get(answer.location)).text
    assert (await Delivery.get(id=given_up.id)).state == DeliveryState.WAITING
    elsewhere = await browser.post(again, {"next": "//evil.example"})
    assert elsewhere.location == path
    assert "nothing to repeat" in (await browser.get(path)).text
    await browser.log_in("bob")
    assert (await browser.post(again)).status == 404


async def _given_up_and_sent(alice: Actor) -> Delivery:
    await delivery(await notification(alice, "event:2", title="It went."), DeliveryState.SENT)
    dead = await delivery(await notification(alice), DeliveryState.DEAD, attempts=1)
    await DeliveryAttempt.create(
        delivery_id=dead.id,
        at=clock.now(),
        seconds=0.3,
        outcome=AttemptOutcome.PERMANENT,
        answer="ntfy answered 403: forbidden",
    )
    return dead


async def test_preferences_are_saved_and_shown(browser: Browser, alice: Actor) -> None:
    await browser.log_in("alice")
    path = f"{HERE}/preferences"
    assert '<option value="0" selected>Monday</option>' in (await browser.get(path)).text
    typed = {**PREFERENCES, "reminder_hours": "48", "expiration_days": "1", "digest": "none"}
    answer = await browser.post(path, {**typed, "digest_hour": "0", "digest_weekday": "6"})
    assert answer.location == path
    found = await preferences.get(alice, "alice")
    assert (found.reminder_hours, found.expiration_days, found.digest) == (48, 1, "none")
    assert (found.digest_hour, found.digest_weekday, found.is_told_of_shared) == (0, 6, False)
    text = (await browser.get(path)).text
    assert '<option value="6" selected>Sunday</option>' in text
    assert 'name="reminder_hours" type="text" value="48"' in text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reminder_hours", "0"),
        ("reminder_hours", "49"),
        ("reminder_hours", "1.5"),
        ("reminder_hours", ""),
        ("expiration_days", "31"),
        ("expiration_days", "-1"),
        ("digest_hour", "24"),
        ("digest_hour", "9" * 5000),
        ("digest_weekday", "7"),
        ("digest", "hourly"),
        ("digest", ""),
    ],
)
async def test_preferences_have_bounds_that_are_told_at_the_field(
    browser: Browser, alice: Actor, field: str, value: str
) -> None:
    before = await preferences.get(alice, "alice")
    await browser.log_in("alice")
    answer = await browser.post(f"{HERE}/preferences", {**PREFERENCES, field: value})
    assert answer.status == 422
    assert f'<a href="#{field}">' in answer.text
    assert await preferences.get(alice, "alice") == before


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_words_break_no_page(browser: Browser, text: str) -> None:
    scene = await make_scene()
    settings = {"url": f"https://example.org/{text[:50]}", "body": text[:10_000]}
    await Channel.all().update(kind="webhook", settings=settings, name=text[:150])
    await Notification.all().update(title=text[:300], text=text, details={"repository": text})
    await Notification.all().update(repository_id=None)
    await Delivery.all().update(channel_name=text[:150])
    await Rule.all().update(name=text[:150], tag=text[:50], kinds=[text[:40]])
    await DeliveryAttempt.all().update(answer=text)
    await browser.log_in("alice")
    for pattern in PAGES:
        answer = await browser.get(scene.path(pattern))
        assert answer.status == 200, pattern
        check(answer.text)
        assert len(answer.text) < 60_000, pattern


PAGES = (
    HERE,
    f"{HERE}/channels",
    f"{HERE}/channels/{{id}}",
    f"{HERE}/channels/{{id}}/delete",
    f"{HERE}/rules",
    f"{HERE}/rules/add",
    f"{HERE}/rules/{{id}}",
    f"{HERE}/rules/{{id}}/delete",
    f"{HERE}/deliveries",
)


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_words_that_are_typed_come_back_and_do_nothing(
    browser: Browser, text: str
) -> None:
    scene = await make_scene()
    await browser.log_in("alice")
    words = ("url", "topic", "server", "headers", "body", "tag", "quiet", "digest", "owner")
    typed = {**dict.fromkeys((*words, "digest_hour", "share-family"), text[:300]), "name": text}
    for pattern, fields in (
        (f"{HERE}/channels/add", {"kind": "webhook"}),
        (f"{HERE}/channels/add", {"kind": "ntfy"}),
        (f"{HERE}/channels/{{id}}", {}),
        (f"{HERE}/rules/add", {"owner": ""}),
        (f"{HERE}/rules/{{id}}", {"owner": ""}),
        (f"{HERE}/preferences", {}),
    ):
        answer = await browser.post(scene.path(pattern), {**typed, **fields})
        assert answer.status == 422, pattern
        check(answer.text)
        assert 'class="problem summary"' in answer.text
    for path in (HERE, f"{HERE}/rules", f"{HERE}/deliveries", f"{HERE}/channels/add"):
        for name in ("user", "kind"):
            answer = await browser.get(path, params={name: text[:2000]})
            assert answer.status in (200, 404), f"{path} {name}"
            check(answer.text)
