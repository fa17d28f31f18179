"""The list of all repositories: how each is, what wants attention, in how many queries."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest

from hive import clock
from hive.kinds import Access, ArchiveCreated, EndReason, EventKind, Need
from hive.models import Alarm, Grant, Inspection, Key, Repository, Statistic, User
from hive.services.health import review, schedules
from hive.services.health.schedules import ScheduleChange
from hive.services.health.states import Condition
from hive.services.keys import keys
from hive.services.overview import attention, dashboard, rows
from hive.services.overview.attention import AttentionKind
from hive.services.overview.listing import Listing, ListQuery, Order
from hive.services.permissions import Actor
from hive.services.repositories import catalogue, creation, tags
from hive.services.repositories.creation import CreateRepository
from hive.services.storage import disks
from tests.factories import make_webhook
from tests.web.browser import Browser
from tests.web.rows import RUNNING, add_session, public_key, put_on_disk


async def _backed_up(actor: Actor, name: str, *, days_ago: float = 0.5, **given: Any) -> int:
    """A repository whose last backup was some days ago, with two measurements."""
    made = await catalogue.add_repository(actor, name, owner=actor.name)
    await put_on_disk(made.id, 1_500_000_000)
    now = clock.now()
    session = await add_session(
        made.id, minutes_ago=days_ago * 1440, archive_created=ArchiveCreated.YES, **given
    )
    for days, size in ((9, 1_000_000_000), (0.1, 1_500_000_000)):
        at = now - timedelta(days=days)
        await Statistic.create(repository_id=made.id, at=at, size_bytes=size)
    await Repository.filter(id=made.id).update(created_at=now - timedelta(days=30))
    assert session.ended_at is not None
    await review.note_backup(made.id, session.ended_at)
    return made.id


def _chips(text: str) -> dict[str, int]:
    """How many are in each state, as the chips say it."""
    found = re.findall(r"<b>(\d+)</b> ([a-z ]+)</a>", text)
    return {word: int(count) for count, word in found}


def _names(text: str) -> list[str]:
    """The repositories of the table in their order."""
    return re.findall(r'class="name"><a href="[^"]+"><bdi>([\w-]+)</bdi>', text)


async def test_the_headline_and_the_order_say_what_is_wrong(browser: Browser, alice: Actor) -> None:
    for name, days in (("fine", 0.5), ("is-down", 9), ("is-late", 1.2), ("on-holiday", 0.5)):
        made = await _backed_up(alice, name, days_ago=days)
        await schedules.set_schedule(alice, made, ScheduleChange(every=timedelta(days=1)))
    await schedules.pause(alice, made, clock.now() + timedelta(days=5))
    await _backed_up(alice, "watched-by-nobody")
    running = await _backed_up(alice, "at-work")
    await add_session(running, minutes_ago=12, **RUNNING)
    await creation.create(alice, CreateRepository(name="fresh"))
    await browser.log_in("alice")
    text = (await browser.get("/")).text
    assert _chips(text) == {
        "down": 1,
        "late": 1,
        "backing up": 1,
        "fine": 1,
        "not watched": 1,
        "new": 1,
        "paused": 1,
    }
    assert _names(text) == [
        *("is-down", "is-late", "at-work", "watched-by-nobody", "fresh", "on-holiday", "fine")
    ]
    assert "<title>(1) Repositories" in text  # what is late is no alarm yet
    assert "One down" in text
    assert "One late" in text


async def test_a_row_tells_size_change_duration_and_days_of_backups(
    browser: Browser, alice: Actor
) -> None:
    made = await _backed_up(alice, "documents")
    await User.filter(name="alice").update(timezone="UTC")
    await Inspection.create(repository_id=made, encryption="none")
    await Repository.filter(id=made).update(quota_bytes=3_000_000_000)
    await browser.log_in("alice")
    text = (await browser.get("/")).text
    for said in ("11h ago", "took 3m12s", "1.50 GB", "+500 MB", "50 % of the quota"):
        assert said in text
    assert 'aria-label="30 days: 1 made"' in text
    assert "not encrypted" in text
    assert "estimated" not in text
    await Repository.filter(id=made).update(last_backup_is_estimated=True)
    assert "estimated" in (await browser.get("/")).text


async def test_the_list_can_be_filtered_and_sorted_by_its_address(
    browser: Browser, alice: Actor
) -> None:
    for name, size in (("alpha", 1), ("beta", 3), ("gamma", 2)):
        made = await _backed_up(alice, name)
        await Repository.filter(id=made).update(size_bytes=size)
        if name != "beta":
            await tags.change_tags(alice, made, add=["home"])
    await browser.log_in("alice")
    for path, names in (
        ("/?sort=size", ["beta", "gamma", "alpha"]),
        ("/?q=GAM", ["gamma"]),
        ("/?tag=home&sort=name", ["alpha", "gamma"]),
        ("/?tag=nothing", []),
        ("/?q=%3Cscript%3E", []),
    ):
        text = (await browser.get(path)).text
        assert _names(text) == names, path
        assert bool(names) != ("No matching repositories." in text)
    assert (await browser.get("/?sort=colour")).status == 422


async def test_what_wants_attention_comes_with_its_next_step(
    browser: Browser, alice: Actor
) -> None:
    locked, broken, failed = [
        await _backed_up(alice, name) for name in ("locked", "broken", "failed")
    ]
    await Alarm.create(
        repository_id=locked, kind=EventKind.STALE_LOCK, level=1, message="Old.", since=clock.now()
    )
    await Inspection.create(repository_id=broken, check_error="Segment 7 is damaged.")
    session = await add_session(failed, minutes_ago=4, end_reason=EndReason.KILLED)
    key = await keys.add_key(alice, keys.AddKey(name="desktop", owner="alice", text=public_key()))
    other = await catalogue.add_repository(
        alice, "other", owner="alice", accesses={"desktop": Access.FULL}
    )
    long_ago = clock.now() - timedelta(days=8)
    await Key.filter(id=key.id).update(created_at=long_ago)
    await Grant.filter(repository_id=other.id).update(created_at=long_ago)
    await browser.log_in("alice")
    text = (await browser.get("/")).text
    for link in (
        f"/repositories/{locked}/locks",
        f"/repositories/{broken}#integrity",
        f"/sessions/{session.id}",
        f"/keys/{key.id}",
    ):
        assert f'href="{link}"' in text
    assert "<title>(1) Repositories" in text  # the damage alone is red


async def test_what_somebody_knows_of_already_wants_no_attention(alice: Actor) -> None:
    made = await _backed_up(alice, "documents", days_ago=9)
    await schedules.set_schedule(alice, made, ScheduleChange(every=timedelta(days=1)))
    await make_webhook(alice, "https://example.org/x")
    listing = await Listing.open(alice)
    found = await attention.list_attention(alice, listing, await listing.totals())
    assert [one.kind for one in found] == [AttentionKind.DOWN]
    await schedules.acknowledge(alice, made)
    listing = await Listing.open(alice)
    totals = await listing.totals()
    assert await attention.list_attention(alice, listing, totals) == []
    assert totals.counts == [(Condition.DOWN, 1)]


async def test_nobody_is_told_of_what_they_may_not_see(
    browser: Browser, alice: Actor, charlie: Actor
) -> None:
    made = await _backed_up(alice, "secret-name", days_ago=9)
    await schedules.set_schedule(alice, made, ScheduleChange(every=timedelta(days=1)))
    now = clock.now()
    await Alarm.create(
        repository_id=made, kind=EventKind.STALE_LOCK, level=1, message="Old.", since=now
    )
    await Alarm.create(
        subject="/srv/secret",
        kind=EventKind.DISK_FILLING,
        level=80,
        message="Full.",
        since=clock.now(),
    )
    await browser.log_in("charlie")
    text = (await browser.get("/")).text
    for secret in ("secret-name", "Old.", "/srv/secret", "Full.", "Needs attention"):
        assert secret not in text


async def test_the_list_takes_as_many_queries_for_50_repositories_as_for_5(
    alice: Actor, statements: list[str]
) -> None:
    async def look() -> int:
        statements.clear()
        listing = await Listing.open(alice)
        found = (await listing.page(ListQuery(order=Order.GROWTH), 50)).rows
        totals = await listing.totals()
        await attention.list_attention(alice, listing, totals)
        await disks.disks(totals.location_ids)
        shown = await rows.rows_of(alice, [one.id for one in found])
        assert [one.id for one in shown] == [one.id for one in found]
        assert all(one.last_session is not None for one in shown)
        return len(statements)

    counts = []
    for wanted in (5, 50):
        while await Repository.all().count() < wanted:
            made = await _backed_up(alice, f"r{await Repository.all().count()}")
            await add_session(made, minutes_ago=1, need=Need.STATUS, operation="status")
        counts.append(await look())
    assert counts[0] == counts[1]
    assert 0 < counts[0] <= 64


async def test_a_long_list_is_shown_in_pages_and_counted_as_a_whole(
    browser: Browser, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard, "ROWS", 2)
    for name in ("a", "b", "c", "d", "e"):
        await _backed_up(alice, name)
    await browser.log_in("alice")
    names, path = [], "/?sort=name"
    for _ in range(3):
        text = (await browser.get(path)).text
        assert _chips(text) == {"not watched": 5}
        names += _names(text)
        assert ("From the beginning" in text) == (len(names) > 2)
        following = re.search(r'href="([^"]+)" rel="next"', text)
        path = unescape(following[1]) if following else ""
    assert (names, path) == (["a", "b", "c", "d", "e"], "")
    assert _names((await browser.get("/?sort=name&after=999999")).text) == ["a", "b"]
    assert (await browser.get("/?after=x")).status == 422


async def test_the_orders_say_what_they_mean(browser: Browser, alice: Actor) -> None:
    old = await _backed_up(alice, "old", days_ago=3)
    await _backed_up(alice, "new")
    await catalogue.add_repository(alice, "never", owner="alice")
    await Statistic.create(repository_id=old, at=clock.now(), size_bytes=9_000_000_000)
    await browser.log_in("alice")
    for order, names in (
        ("backup", ["never", "old", "new"]),
        ("growth", ["old", "new", "never"]),
        ("name", ["never", "new", "old"]),
    ):
        assert _names((await browser.get(f"/?sort={order}")).text) == names
