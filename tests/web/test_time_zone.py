"""The time zone of a person: the browser's at the first login, and shown beside each hour."""

from __future__ import annotations

from hive.models import AuditEntry, User
from hive.services.notifications import preferences, rules
from hive.services.notifications.rules import AddRule
from hive.services.permissions import Actor
from tests.factories import make_webhook
from tests.web.browser import Browser

BERLIN = "Europe/Berlin"


async def zone_of(actor: Actor) -> str | None:
    return (await User.get(id=actor.user_id)).timezone


async def test_the_zone_of_the_browser_is_kept_at_the_first_login_and_no_other_afterwards(
    browser: Browser, alice: Actor
) -> None:
    assert "data-browser-zone" in (await browser.get("/login")).text
    assert (await browser.log_in("alice", timezone=BERLIN)).status == 303
    assert await zone_of(alice) == BERLIN
    assert (await AuditEntry.get(action="user.timezone")).actor == "alice"
    await browser.log_in("alice", timezone="Asia/Tokyo")
    assert await zone_of(alice) == BERLIN


async def test_what_is_no_zone_is_not_kept(browser: Browser, alice: Actor) -> None:
    for name in ("", "Mars/Olympus", "../../etc/passwd", "x" * 5000):
        assert (await browser.log_in("alice", timezone=name)).status == 303
    assert await zone_of(alice) is None


async def test_the_zone_stands_beside_quiet_hours_and_the_hour_of_the_digest(
    browser: Browser, alice: Actor
) -> None:
    await make_webhook(alice)
    wanted = AddRule(name="night", channels=["hook"], quiet="22:00-07:00")
    info = await rules.add(alice, "alice", wanted)
    assert info.timezone == "UTC"
    await browser.log_in("alice", timezone=BERLIN)
    for path in (
        "/notifications/preferences",
        "/notifications/rules",
        f"/notifications/rules/{info.id}",
        "/notifications/rules/add",
    ):
        assert BERLIN in (await browser.get(path)).text, path


async def test_a_rule_escalates_to_a_channel_or_a_user_and_no_longer(
    browser: Browser, alice: Actor, root: Actor
) -> None:
    hook = await make_webhook(alice)
    boss = await make_webhook(alice, name="boss")
    await browser.log_in("alice")
    box = {"name": "all", "severity": "warning", f"channel-{hook.id}": "yes"}
    wanted = box | {"escalate_after": "4h", "escalate_to": f"channel:{boss.id}"}
    assert (await browser.post("/notifications/rules/add", wanted)).status == 303
    [rule] = await rules.list_rules(alice)
    assert rule.escalate_channel == "boss"
    page = (await browser.get(f"/notifications/rules/{rule.id}")).text
    assert f'value="channel:{boss.id}" selected' in page
    assert "after 4h <bdi>boss</bdi>" in (await browser.get("/notifications/rules")).text
    edited = box | {"enabled": "yes", "escalate_after": "2h", "escalate_to": "user:alice"}
    path = f"/notifications/rules/{rule.id}"
    assert (await browser.post(path, edited)).status == 303
    [rule] = await rules.list_rules(alice)
    assert (rule.escalate_user, rule.escalate_channel) == ("alice", None)
    assert (await browser.post(path, box | {"escalate_after": "4h"})).status == 303
    assert (await browser.post(path, box | {"enabled": "yes"})).status == 303
    [rule] = await rules.list_rules(alice)
    assert (rule.escalate_after, rule.escalate_user) == (None, None)
    wrong = box | {"escalate_after": "1 year", "escalate_to": "user:alice"}
    assert (await browser.post(path, wrong)).status == 422


async def test_mail_to_the_own_address_is_a_preference(browser: Browser, alice: Actor) -> None:
    await browser.log_in("alice")
    fields = {
        "reminder_hours": "12",
        "expiration_days": "5",
        "digest": "weekly",
        "digest_hour": "7",
        "digest_weekday": "0",
        "asks_for_mail": "yes",
    }
    await browser.post("/notifications/preferences", fields)
    assert not (await preferences.get(alice, "alice")).is_mailed
    await browser.post("/notifications/preferences", fields | {"is_mailed": "yes"})
    assert (await preferences.get(alice, "alice")).is_mailed
