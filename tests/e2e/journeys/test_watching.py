"""When backups are expected, what happens when they do not come, and who hears of it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.e2e.asking import until
from tests.e2e.journeys.journey import Journey, add_machine, open_tab
from tests.e2e.receiver import Receiver
from tests.e2e.visitor import Visitor

pytestmark = pytest.mark.long
PEOPLE = ("lena", "zoe", "dora", "paul")
BERLIN = ZoneInfo("Europe/Berlin")


def test_a_late_backup_is_noticed_and_kept_quiet_in_three_ways(journey: Journey) -> None:
    lena = journey.named("lena")
    visitor = journey.visitor(lena)
    page, name = visitor.page, journey.named("server")
    add_machine(visitor, name, None)
    open_tab(visitor, "Settings", "schedule")
    page.get_by_label("Every so often").check()
    page.locator("#every").fill("1h")
    page.locator("#grace").fill("1h")
    visitor.press("Save")
    journey.set_back("repository", f"name = '{name}'", "created_at", "look_at", by="-90 minutes")
    journey.house.hive("job", "run", "look at schedules")

    visitor.follow("Overview")
    visitor.wait_for(page.locator("#chip-late"))
    expect(page.locator(".attention")).to_contain_text(name)
    visitor.follow(name)
    known = page.locator("#silence")
    for words in ("no more reminders", "no backup is expected", "nothing is sent"):
        expect(known).to_contain_text(words)
    journey.picture(visitor, "journey-late")
    known.get_by_role("button", name="Acknowledge", exact=True).click()
    visitor.reads("There will be no more reminders.")
    expect(known.locator("#acknowledge")).to_contain_text(f"by {lena}")
    _silence(visitor, "Pause", "No backup is expected until")
    visitor.press("Resume")
    visitor.reads("Backups are expected again.")
    _silence(visitor, "Mute", "Muted until")
    open_tab(visitor, "Settings")
    visitor.press("Unmute")
    visitor.reads("You are notified of missing backups again.")


def _silence(visitor: Visitor, action: str, words: str) -> None:
    """For three days, from the tab where all of it is."""
    open_tab(visitor, "Settings")
    row = visitor.page.locator(f"#{action.lower()}")
    row.get_by_text(f"{action}…").click()
    row.get_by_label("for", exact=True).select_option(label="3 days")
    row.get_by_role("button", name=action).click()
    visitor.reads(words)


def test_a_schedule_is_in_the_time_zone_of_its_owner(journey: Journey) -> None:
    zoe = journey.named("zoe")
    visitor = journey.visitor(zoe)
    page = visitor.page
    if not journey.has_scripts:  # no script tells the zone of the browser
        _live_in_berlin(visitor)
    add_machine(visitor, "laptop", None)
    open_tab(visitor, "Settings")
    expect(page.locator("#schedule")).to_contain_text("03:00")
    open_tab(visitor, "Settings", "schedule")
    expect(page.locator("#timezone")).to_have_value("Europe/Berlin")
    page.get_by_label("At certain times").check()
    page.locator("#cron").fill("30 4 * * *")
    visitor.press("Save")
    open_tab(visitor, "Settings")
    for shown in page.locator("#schedule time").all()[:3]:
        expect(shown).to_contain_text("04:30")
    journey.picture(visitor, "journey-zone")


def _live_in_berlin(visitor: Visitor) -> None:
    visitor.follow("Account")
    visitor.page.locator("#timezone").select_option("Europe/Berlin")
    visitor.press("Save")


def test_a_digest_is_asked_for_and_comes_at_its_hour(journey: Journey, receiver: Receiver) -> None:
    dora = journey.named("dora")
    journey.house.hive("channel", "allow", "127.0.0.1")
    visitor = journey.visitor(dora)
    _live_in_berlin(visitor)
    add_machine(visitor, journey.named("desk"), None)
    _add_channel(visitor, "Webhook", "hook", {"URL": f"{receiver.url}/hook"})
    visitor.follow("Preferences")
    visitor.reads("In the time zone Europe/Berlin")
    hour = datetime.now(UTC).astimezone(BERLIN).hour
    visitor.page.locator("#digest").select_option("daily")
    visitor.page.locator("#digest_hour").select_option(label=f"{hour:02}:00")
    visitor.press("Save")
    visitor.reads("The preferences were changed.")

    journey.set_back("user", f"name = '{dora}'", "created_at", by="-3 days")
    journey.house.hive("job", "run", "write digests")
    until(lambda: "digest" in [message["kind"] for message in receiver.messages])


def test_channels_reach_the_own_network_once_an_administrator_allows_it(
    journey: Journey, receiver: Receiver
) -> None:
    paul = journey.named("paul")
    visitor, root = journey.visitor(paul), journey.visitor("root")
    _disallow(root)
    _add_channel(visitor, "ntfy", "phone", {"Server": receiver.url, "Topic": "backups"})
    visitor.reads("Not delivered:")
    visitor.reads("Ask an administrator to allow it.")
    assert receiver.titles == {}
    journey.picture(visitor, "journey-channel-refused")

    root.page.goto(visitor.page.url)
    root.press("Allow 127.0.0.1")
    root.reads("Sent. The answer was:")
    assert len(receiver.titles["/"]) == 1
    settings = {"Server": receiver.url, "Application token": "A1b2"}
    _add_channel(visitor, "Gotify", "desk", settings)
    visitor.reads("Sent. The answer was:")
    assert len(receiver.titles["/message"]) == 1
    _add_channel(visitor, "Webhook", "hook", {"URL": f"{receiver.url}/hook"})
    visitor.reads("Sent. The answer was:")
    assert receiver.tests == 1
    visitor.follow("Channels")
    expect(visitor.page.get_by_text("works", exact=True)).to_have_count(3)


def _disallow(root: Visitor) -> None:
    """The journey of somebody else may have allowed it."""
    root.follow("Notifications")
    root.follow("Channels")
    for button in root.page.get_by_role("button", name="Revoke 127.0.0.1").all():
        button.click()
        root.reads("Notifications no longer reach 127.0.0.1")


def _add_channel(visitor: Visitor, kind: str, name: str, settings: dict[str, str]) -> None:
    visitor.follow("Notifications")
    visitor.follow("Channels")
    visitor.follow("Add a channel")
    visitor.follow(kind)
    visitor.page.locator("#name").fill(name)
    for title, value in settings.items():
        visitor.page.get_by_label(title).first.fill(value)
    visitor.press("Add the channel")
