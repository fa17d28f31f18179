"""What is in a repository: brought from elsewhere, deleted and limited, by real borg and rsync."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.fresh_machine import FreshMachine
from tests.e2e.journeys.journey import Journey, add_machine, open_tab, public_key
from tests.e2e.visitor import Visitor

pytestmark = pytest.mark.long
PEOPLE = ("iris", "gina", "quin")
_QUIET = "export BORG_PASSPHRASE=secret BORG_RELOCATED_REPO_ACCESS_IS_OK=yes"


def _borg(machine: FreshMachine, *commands: str) -> str:
    return machine.run("\n".join([_QUIET, *(f"borg {one}" for one in commands)]))


def test_an_import_by_rsync_is_verified_and_then_used_by_borg(
    journey: Journey, tmp_path: Path
) -> None:
    iris = journey.named("iris")
    machine, visitor = journey.machine(tmp_path), journey.visitor(iris)
    page, name = visitor.page, journey.named("old")
    machine.run("mkdir -p empty/data/0 && printf BORG_SEG > empty/data/0/0")
    _borg(machine, "init -e repokey-blake2 ~/old", "create ~/old::one ~/letter.txt")
    machine.run("cp old/config old/README empty/")

    visitor.follow("Keys")
    visitor.follow("Add a key")
    page.locator("#name").fill("laptop")
    page.locator("#public_key").fill(public_key(machine))
    visitor.press("Add the key")
    visitor.follow("Overview")
    visitor.follow("Add a repository")
    page.locator("#name").fill(name)
    page.locator("#mode").select_option("IMPORT")
    page.get_by_label("laptop").select_option(label="full")
    visitor.press("Add the repository")

    open_tab(visitor, "Connect")
    rsync = page.locator("#command").inner_text()
    assert "has no manifest" in machine.run(f"{rsync.replace('SOURCE', 'empty')} 2>&1 || true")
    open_tab(visitor, "Overview")
    visitor.wait_for(page.get_by_text("An import is staged and not in place"))
    expect(page.get_by_role("link", name="Switch to BORG…")).to_have_count(0)

    machine.run(rsync.replace("rsync -a", "rsync -a --delete").replace("SOURCE", "old"))
    open_tab(visitor, "Connect")
    visitor.wait_for(page.locator("#imported"))
    journey.picture(visitor, "journey-import")
    visitor.follow("Switch to BORG…")
    expect(page.get_by_label("BORG", exact=True)).to_be_checked()
    expect(page.get_by_label("Every day")).to_be_checked()
    visitor.press("Switch")
    visitor.reads("The mode is now BORG.")
    open_tab(visitor, "Connect")
    url = page.locator("#url").inner_text()
    assert _borg(machine, f"list --short {url}") == "one\n"


def test_who_deleted_archives_is_told_with_session_and_key(
    journey: Journey, tmp_path: Path
) -> None:
    gina = journey.named("gina")
    machine, visitor = journey.machine(tmp_path), journey.visitor(gina)
    page, name = visitor.page, journey.named("vault")
    url = add_machine(visitor, name, public_key(machine))
    machine.run("head -c 9000000 /dev/urandom > large")
    _borg(machine, f"init -e repokey-blake2 {url}", f"create {url}::small letter.txt")
    _borg(machine, f"create {url}::large large", f"delete {url}::large")

    page.goto(f"{visitor.origin}/")
    visitor.wait_for(page.locator(".attention li.critical"))
    expect(page.locator(".attention li.critical")).to_contain_text("deleted")
    journey.picture(visitor, "journey-deleted")
    visitor.follow("Events")
    row = page.get_by_role("row").filter(has_text="mass deletion").first
    row.get_by_role("link", name="Session").click()
    visitor.reads(name)
    for words in ("delete", "full", "127.0.0.1", "9.00 MB"):
        expect(page.locator("main")).to_contain_text(words)
    visitor.follow(name)
    alarm = page.locator("#alarms section").first
    alarm.get_by_role("button", name="It was me").click()
    visitor.reads("The alarm is answered")
    expect(page.locator("#alarms section")).to_have_count(0)


def test_a_quota_is_foreseen_hit_and_raised(journey: Journey, tmp_path: Path) -> None:
    quin = journey.named("quin")
    machine, visitor = journey.machine(tmp_path), journey.visitor(quin)
    page, name = visitor.page, journey.named("films")
    url = add_machine(visitor, name, public_key(machine))
    _set_quota(visitor, "50MB")
    machine.run("head -c 12000000 /dev/urandom > one; head -c 1000000 /dev/urandom > two")
    _borg(machine, f"init -e repokey-blake2 {url}", f"create {url}::one one")
    _grow_for_weeks(journey, name)
    open_tab(visitor, "Overview")
    visitor.press("Measure now")
    visitor.wait_for(page.locator("#facts").get_by_text("Quota full"))
    expect(page.locator("#facts")).to_contain_text("% of 50.00 MB")
    journey.picture(visitor, "journey-quota")

    _set_quota(visitor, "10MB")
    refused = machine.run(f"{_QUIET}\nborg create {url}::two two 2>&1 || true")
    assert "is used up" in refused, refused
    visitor.wait_for(page.locator("#room").get_by_text("used up"))
    visitor.reads("No new data is accepted.")
    journey.picture(visitor, "journey-quota-hit")
    visitor.follow("Raise the quota…")
    page.locator("#quota").fill("50MB")
    visitor.press("Save")
    _borg(machine, f"create {url}::two two")
    visitor.follow("Events")
    expect(page.locator("main table")).to_contain_text("is used up (12.10 MB on disk)")


def _set_quota(visitor: Visitor, size: str) -> None:
    open_tab(visitor, "Settings", "edit")
    visitor.page.locator("#quota").fill(size)
    visitor.press("Save")


def _grow_for_weeks(journey: Journey, name: str) -> None:
    """As if it had been measured for three weeks, and had grown ever since."""
    for days, size in ((21, 3_000_000), (14, 6_000_000), (7, 9_000_000)):
        journey.execute(
            "INSERT INTO statistic (repository_id, at, size_bytes, live_bytes)"
            " SELECT id, strftime('%Y-%m-%d %H:%M:%S+00:00', 'now', ?), ?, ?"
            " FROM repository WHERE name = ?",
            *(f"-{days} days", size, size, name),
        )
