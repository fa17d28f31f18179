"""Users, what they share, and how they get in."""

from __future__ import annotations

import time

import pyotp
import pytest
from playwright.sync_api import expect

from tests.e2e.journeys.journey import Journey, open_tab
from tests.e2e.visitor import add_user, choose_password, log_in
from tests.factories import PASSWORD

pytestmark = pytest.mark.long
PEOPLE = ("sara", "tom", "otto", "emil")
NEW_PASSWORD = "another long password"


def test_a_repository_is_shared_with_a_group(journey: Journey) -> None:
    sara, tom = journey.named("sara"), journey.named("tom")
    owner = journey.visitor(sara)
    owner.follow("Add a repository")
    owner.reads("You are not in a group yet. Ask an administrator to add you to one")
    owner.page.locator("#name").fill(journey.named("papers"))
    owner.press("Add the repository")

    root, group = journey.visitor("root"), journey.named("family")
    root.follow("Administration")
    root.follow("Groups")
    root.follow("Add a group")
    root.page.locator("#name").fill(group)
    for name in (sara, tom):
        root.page.get_by_label(name, exact=True).check()
    root.press("Add the group")

    open_tab(owner, "Settings", "edit")
    owner.page.get_by_label(group).select_option(label="may see and use it")
    owner.press("Save")
    open_tab(owner, "Settings")
    owner.reads(f"{group} (view)")
    journey.picture(owner, "journey-shared")

    member = journey.visitor(tom)
    member.follow(journey.named("papers"))
    open_tab(member, "Settings")
    expect(member.page.get_by_role("link", name="Delete…")).to_have_count(0)


def test_five_colleagues_are_added(journey: Journey) -> None:
    names = [journey.named(name) for name in ("uma", "vera", "walt", "xeno", "yves")]
    root = journey.visitor("root")
    links = [add_user(root, name) for name in names]
    assert len(set(links)) == len(names)
    root.follow("Groups")
    root.follow("Add a group")
    root.page.locator("#name").fill(journey.named("office"))
    for name in names:
        root.page.get_by_label(name, exact=True).check()
    root.press("Add the group")
    root.reads(journey.named("office"))

    colleague = journey.guest()
    choose_password(colleague, links[-1], NEW_PASSWORD)
    log_in(colleague, names[-1], NEW_PASSWORD)
    colleague.follow("Add a repository")
    expect(colleague.page.get_by_label(journey.named("office"))).to_be_visible()


def test_a_second_factor_is_set_up_and_asked_for(journey: Journey) -> None:
    otto = journey.named("otto")
    visitor = journey.visitor(otto)
    page = visitor.page
    visitor.follow("Account")
    visitor.follow("Second factor")
    visitor.press("Set up an app")
    app = pyotp.TOTP(page.locator("#secret").inner_text())
    page.locator("#code").fill(app.now())
    visitor.press("Switch it on")
    visitor.reads("Keep these recovery codes")
    code = page.locator(".codes code").first.inner_text()
    visitor.follow("I have kept them")
    visitor.reads("You need your password and one of these to log in.")

    visitor.press("Log out")
    log_in(visitor, otto)
    visitor.reads("The password was right. Now confirm with your second factor.")
    page.locator("#code").fill(app.at(int(time.time()), counter_offset=1))
    visitor.press("Log in")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()

    visitor.press("Log out")
    log_in(visitor, otto)
    page.get_by_text("Use a recovery code").click()
    page.locator("#recovery_code").fill(code)
    page.locator("#recovery_code").press("Enter")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def test_a_forgotten_password_is_replaced_where_the_server_sends_no_mail(journey: Journey) -> None:
    emil = journey.named("emil")
    visitor = journey.guest()
    visitor.follow("Forgot your password?")
    command = visitor.page.locator("main code").inner_text().split()
    assert (command[0], command[-1]) == ("hive", "NAME")
    printed = journey.house.hive(*command[1:-1], emil)
    link = next(word for word in printed.split() if "/reset/" in word)
    choose_password(visitor, link, NEW_PASSWORD)
    log_in(visitor, emil, PASSWORD)
    expect(visitor.page.locator("#problem")).to_be_visible()
    log_in(visitor, emil, NEW_PASSWORD)
    expect(visitor.page.get_by_role("button", name="Log out")).to_be_visible()
