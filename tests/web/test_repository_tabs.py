"""The tabs of a repository: what each shows, for whom, and the one thing to do next."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hive import clock, long_work
from hive.kinds import (
    Access,
    ArchiveCreated,
    EndReason,
    EventKind,
    Health,
    ShareLevel,
    UpkeepKind,
    UpkeepState,
)
from hive.long_work import WorkKind
from hive.meter import Unit
from hive.models import Alarm, HealthChange, Inspection, Repository, Statistic, Upkeep, User
from hive.services.accounts import groups
from hive.services.health import review, schedules
from hive.services.health.schedules import ScheduleChange
from hive.services.lifecycle import trash
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from hive.services.upkeep import queue
from tests import factories
from tests.web.browser import Browser
from tests.web.rows import add_session, put_on_disk

TABS = ("", "/sessions", "/history", "/keys", "/connect", "/settings")


@pytest.fixture
async def documents(alice: Actor) -> int:
    """Watched, and backed up an hour ago."""
    await factories.make_key(alice, "nas")
    made = await catalogue.add_repository(
        alice, "documents", owner="alice", accesses={"nas": Access.APPEND_ONLY}
    )
    await put_on_disk(made.id)
    await schedules.set_schedule(alice, made.id, ScheduleChange(every=timedelta(days=1)))
    await review.note_backup(made.id, clock.now() - timedelta(hours=1))
    return made.id


def plain(text: str) -> str:
    """As one reads it: no elements, single spaces."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def action(text: str) -> str:
    """What stands beside the title."""
    return text.partition('<div class="actions">')[2].partition("</div>")[0]


async def test_each_tab_leads_to_all_and_says_which_it_is(browser: Browser, documents: int) -> None:
    await browser.log_in("alice")
    here = f"/repositories/{documents}"
    for tab in TABS:
        answer = await browser.get(f"{here}{tab}")
        assert answer.status == 200
        bar = answer.text.partition('<nav class="ways tabs"')[2].partition("</nav>")[0]
        assert re.findall(r'href="([^"]+)"', bar) == [f"{here}{one}" for one in TABS]
        assert re.findall(r'href="([^"]+)" aria-current="page"', bar) == [f"{here}{tab}"]
        assert answer.text.count("<h1>") == 1


async def test_what_is_in_the_trash_has_no_tabs_to_change_it(
    browser: Browser, alice: Actor, documents: int
) -> None:
    await trash.delete_repository(alice, documents)
    await browser.log_in("alice")
    here = f"/repositories/{documents}"
    for tab in TABS:
        is_there = tab in ("", "/sessions", "/history")
        answer = await browser.get(f"{here}{tab}")
        assert answer.status == (200 if is_there else 404), tab
    text = (await browser.get(here)).text
    assert f'href="{here}/settings"' not in text
    assert 'href="/trash"' in action(text)


async def test_who_may_only_look_changes_nothing(
    browser: Browser, root: Actor, alice: Actor, bob: Actor, documents: int
) -> None:
    await groups.add_group(root, groups.AddGroup(name="family", members=["alice", "bob"]))
    await catalogue.set_repository(
        alice, documents, share_with=["family"], share_level=ShareLevel.VIEW
    )
    await browser.log_in("bob")
    here = f"/repositories/{documents}"
    for tab in TABS:
        text = (await browser.get(f"{here}{tab}")).text
        assert 'action="/repositories/' not in text, tab
        main = text.partition('<main id="main"')[2].partition("</main>")[0]
        assert "<form" not in main, tab
        for forbidden in ("edit", "schedule", "mode", "locks", "delete", "rollback"):
            assert f'href="{here}/{forbidden}"' not in text, tab
    assert "Danger zone" not in text


async def test_the_next_thing_to_do_is_one(browser: Browser, alice: Actor, documents: int) -> None:
    await browser.log_in("alice")
    here = f"/repositories/{documents}"

    async def offered() -> list[str]:
        return re.findall(r"(?:href|action)=\"([^\"]+)\"", action((await browser.get(here)).text))

    assert await offered() == []
    await schedules.set_schedule(alice, documents, ScheduleChange(no_schedule=True))
    assert await offered() == [f"{here}/watch"]
    await schedules.set_schedule(alice, documents, ScheduleChange(every=timedelta(minutes=5)))
    assert await offered() == [f"{here}/acknowledge"]
    await schedules.pause(alice, documents, clock.now() + timedelta(days=1))
    assert await offered() == [f"{here}/resume"]
    values: dict[str, Any] = {"level": 1, "message": "Old.", "since": clock.now()}
    await Alarm.create(repository_id=documents, kind=EventKind.STALE_LOCK, **values)
    assert await offered() == [f"{here}/locks"]
    await Alarm.create(repository_id=documents, kind=EventKind.INTEGRITY_ERROR, **values)
    assert await offered() == [f"{here}#integrity"]
    await Alarm.create(repository_id=documents, kind=EventKind.MASS_DELETION, **values)
    assert await offered() == [f"{here}/rollback"]
    await Repository.filter(id=documents).update(last_backup_at=None)
    await Alarm.all().delete()
    await schedules.resume(alice, documents)
    await schedules.set_schedule(alice, documents, ScheduleChange(every=timedelta(days=9)))
    assert await offered() == [f"{here}/connect"]


async def test_each_day_of_the_strip_says_what_came_in_the_readers_zone(
    browser: Browser, documents: int
) -> None:
    await User.filter(name="alice").update(timezone="Asia/Tokyo")
    at = clock.now() - timedelta(minutes=30)
    session = await add_session(
        documents,
        started_at=at,
        ended_at=at + timedelta(seconds=235),
        archive_created=ArchiveCreated.YES,
        bytes_added=1_200_000_000,
    )
    assert session.ended_at is not None
    await review.note_backup(documents, session.ended_at)
    await browser.log_in("alice")
    text = (await browser.get(f"/repositories/{documents}")).text
    strip = text.partition('id="days"')[2].partition("</section>")[0]
    assert strip.count("<svg") == 3
    local = session.ended_at.astimezone(ZoneInfo("Asia/Tokyo"))
    said = f"{local:%Y-%m-%d}: backup made ({local:%H:%M}, +1.20 GB, 3m55s)"
    assert said in unescape(strip)
    assert "data-at" not in strip
    assert "backups on" in plain(strip)


async def test_hover_texts_of_the_chart_can_be_put_into_the_browsers_zone(
    browser: Browser, documents: int
) -> None:
    """Where nobody has chosen a zone it is UTC, and the script knows what to replace."""
    at = clock.now() - timedelta(days=2)
    await Statistic.create(repository_id=documents, at=at, size_bytes=7_000_000_000)
    await browser.log_in("alice")
    text = (await browser.get(f"/repositories/{documents}")).text
    tip = f'<title data-at="{clock.rfc3339(at)}">{at:%Y-%m-%d %H:%M} UTC: 7.00 GB on disk</title>'
    assert tip in text
    await User.filter(name="alice").update(timezone="Europe/Berlin")
    assert "data-at" not in (await browser.get(f"/repositories/{documents}")).text


async def test_quota_and_forecast_are_drawn_and_said(browser: Browser, documents: int) -> None:
    now = clock.now()
    for days, size in ((60, 1_000), (30, 1_100), (0, 1_200)):
        await Statistic.create(
            repository_id=documents, at=now - timedelta(days=days), size_bytes=size * 10**9
        )
    await Repository.filter(id=documents).update(quota_bytes=2 * 10**12)
    await Inspection.create(
        repository_id=documents,
        growth_bytes_per_week=25 * 10**9,
        quota_use_bytes=1_200 * 10**9,
        size_bytes=1_200 * 10**9,
    )
    await browser.log_in("alice")
    text = (await browser.get(f"/repositories/{documents}")).text
    assert re.search(r'<line class="limit" x1="0" x2="720" y1="[\d.]+"', text)
    assert '<polyline class="guess"' in text
    assert "forecast: quota full in 7 months" in plain(text)
    day = (await browser.get(f"/repositories/{documents}?range=day")).text
    assert '<polyline class="guess"' not in day


async def test_health_is_told_as_periods_the_newest_first(browser: Browser, documents: int) -> None:
    now = clock.now()
    await HealthChange.filter(repository_id=documents).delete()
    changes = (
        (40, Health.FINE, Health.LATE, 10 * 86_400),
        (39, Health.LATE, Health.DOWN, 86_400),
        (37, Health.DOWN, Health.FINE, 2 * 86_400),
    )
    for days, former, health, lasted in changes:
        await HealthChange.create(
            repository_id=documents,
            at=now - timedelta(days=days),
            former=former,
            health=health,
            lasted_seconds=lasted,
        )
    await browser.log_in("alice")
    text = (await browser.get(f"/repositories/{documents}/history")).text
    rows = text.partition('id="health"')[2].partition("</table>")[0].split("<tr>")[2:]
    shown = [(plain(row).split()[0], plain(row).split()[-1]) for row in rows]
    assert shown == [("Fine", "37d"), ("Down", "2d"), ("Late", "1d"), ("Fine", "10d")]
    assert "now" in rows[0]


async def test_the_last_restore_is_the_newest_session_that_read_more_than_the_list(
    browser: Browser, documents: int
) -> None:
    await browser.log_in("alice")
    here = f"/repositories/{documents}"
    assert "No restore was seen within a year" in (await browser.get(here)).text
    given: dict[str, Any] = {"operation": "read", "bytes_out": 5_000}
    await add_session(documents, minutes_ago=600 * 24 * 60, observed={"reads": 9}, **given)
    await add_session(documents, minutes_ago=60, observed={"reads": 0}, **given)
    assert "No restore was seen within a year" in (await browser.get(here)).text
    seen = await add_session(
        documents, minutes_ago=180, operation="read", bytes_out=214_000_000, observed={"reads": 40}
    )
    await add_session(documents, minutes_ago=30, operation="create")
    text = (await browser.get(here)).text
    assert f'href="/sessions/{seen.id}">214.00 MB by laptop' in text
    assert "Last restore seen 3 hours ago" in plain(text)
    assert "The server cannot tell them apart" in text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"operation": "create", "archive_created": ArchiveCreated.YES}, "backup made"),
        ({"operation": "create", "archive_created": ArchiveCreated.PARTIAL}, "only a checkpoint"),
        ({"operation": "delete", "bytes_removed": 34_000_000}, "deleted 34.00 MB"),
        ({"operation": "read", "bytes_out": 18_000_000}, "read 18.00 MB"),
        ({"operation": "create", "end_reason": EndReason.CLIENT_GONE}, "client gone"),
        ({"operation": "compact"}, "done"),
        ({"ended_at": None, "end_reason": None, "exit_status": None}, "running"),
    ],
)
async def test_each_session_says_what_came_of_it(
    browser: Browser, documents: int, given: dict[str, Any], said: str
) -> None:
    session = await add_session(documents, **given)
    await browser.log_in("alice")
    for tab in ("", "/sessions"):
        text = (await browser.get(f"/repositories/{documents}{tab}")).text
        row = text.partition(f'<tr id="session-{session.id}"')[2].partition("</tr>")[0]
        assert plain(row.rpartition("<td")[2]).endswith(said)


async def test_six_sessions_are_shown_and_the_rest_is_in_a_tab(
    browser: Browser, documents: int
) -> None:
    for number in range(8):
        await add_session(documents, minutes_ago=100 - number)
    await browser.log_in("alice")
    here = f"/repositories/{documents}"
    text = (await browser.get(here)).text
    assert text.count('<tr id="session-') == 6
    assert f'href="{here}/sessions">All sessions' in text
    assert (await browser.get(f"{here}/sessions")).text.count('<tr id="session-') == 8


async def test_an_alarm_marks_the_session_that_raised_it(browser: Browser, documents: int) -> None:
    session = await add_session(documents, operation="delete")
    await Alarm.create(
        repository_id=documents,
        kind=EventKind.MASS_DELETION,
        level=1,
        message="Much is gone.",
        since=clock.now(),
        session_id=session.id,
    )
    await browser.log_in("alice")
    text = (await browser.get(f"/repositories/{documents}")).text
    assert f'<tr id="session-{session.id}" class="critical">' in text
    assert "needs an answer: 1" in plain(text)


async def test_a_running_check_is_a_bar_that_says_how_far_and_how_long(
    browser: Browser, alice: Actor, documents: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await queue.ask(alice, documents, UpkeepKind.CHECK)
    await browser.log_in("alice")
    here = f"/repositories/{documents}"
    text = (await browser.get(here)).text
    assert "Asked for just now by alice" in plain(text)
    assert "The check waits for its turn." in text
    assert 'role="progressbar"' not in text
    assert f'action="{here}/check"' not in text
    await Upkeep.filter(id=asked.id).update(state=UpkeepState.RUNNING, started_at=clock.now())
    async with long_work.under_way(documents, WorkKind.CHECK) as work:
        work.meter.reach(1904, 2811, Unit.SEGMENTS)
        monkeypatch.setattr(long_work.Pace, "left", timedelta(minutes=42))
        text = (await browser.get(here)).text
        await Repository.filter(id=documents).update(maintenance="it is being checked")
        overview = (await browser.get("/")).text
        await Repository.filter(id=documents).update(maintenance=None)
        work.keep()
    assert f'data-work="{documents}-check" data-figure="share">67 %</span>' in overview
    assert 'role="progressbar"' in text
    assert 'aria-valuenow="67"' in text
    said = plain(text)
    assert "1904 of 2811 segments" in said
    assert "67 %, about 42 minutes left. It pauses while a backup runs. Started just now" in said
    await Upkeep.filter(id=asked.id).update(state=UpkeepState.PAUSED)
    said = plain((await browser.get(here)).text)
    assert "1904 of 2811 segments" in said
    assert "left" not in said.partition("segments")[2].partition("Restore")[0]
    assert "minutes of today are used up: it continues tomorrow." in said
