"""States, alarms that are answered, and schedules by default, in the browser."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from hive import clock
from hive.kinds import ArchiveCreated, EventKind, Mode, State
from hive.models import Alarm, Repository, User
from hive.services.alarms import alarms, server_alarms
from hive.services.alarms.server_alarms import Trouble
from hive.services.health import infos as health_info
from hive.services.health import review, schedules
from hive.services.health.infos import HealthInfo
from hive.services.health.schedules import ScheduleChange
from hive.services.keys import keys
from hive.services.permissions import Actor
from hive.services.repositories import catalogue, creation
from hive.services.repositories.creation import CreateRepository
from tests.web.browser import Browser
from tests.web.rows import add_session, public_key

SAID = "Key laptop deleted 91 % of the data."


@pytest.fixture
async def documents(alice: Actor) -> int:
    """Fine: watched, with a backup of just now."""
    made = await creation.create(alice, CreateRepository(name="documents"))
    await review.note_backup(made.id, clock.now())
    return made.id


async def info(actor: Actor, name: str) -> HealthInfo:
    found = await catalogue.find_repository(actor, name)
    return await health_info.health_info(actor, found.id)


async def delete_much(repository_id: int, **given: object) -> int:
    await alarms.happened(
        repository_id, EventKind.MASS_DELETION, SAID, lost_percent=91.0, session_id=None
    )
    return (await Alarm.get(answered_at=None)).id


def plain(text: str) -> str:
    return " ".join(text.split())


async def test_an_alarm_is_red_everywhere_until_it_is_answered(
    browser: Browser, documents: int
) -> None:
    await browser.log_in("alice")
    here = f"/repositories/{documents}"
    calm = (await browser.get("/")).text
    assert "<b>1</b> fine<" in plain(calm)
    assert "favicon-bad" not in calm
    alarm = await delete_much(documents)
    overview, own = (await browser.get("/")).text, (await browser.get(here)).text
    assert "<b>1</b> critical<" in plain(overview)
    assert "<title>(1) Repositories" in overview
    assert "<title>(!) documents" in own
    for text in (overview, own):
        assert "favicon-bad" in text
        assert "91 % deleted" in text
        assert SAID in text
        assert f'action="/alarms/{alarm}/answer"' in text
        assert f'href="{here}/rollback"' in text
    answer = await browser.post(f"/alarms/{alarm}/answer", {"seen": "1", "back": here})
    assert (answer.status, answer.location) == (303, here)
    own = (await browser.get(here)).text
    assert "The alarm is answered" in own
    assert "answered" in own
    assert SAID in own  # for the record
    assert f'action="/alarms/{alarm}/answer"' not in own
    calm = (await browser.get("/")).text
    assert "<b>1</b> fine<" in plain(calm)
    assert "favicon-bad" not in calm


async def test_what_happened_since_the_page_was_made_stays_open(
    browser: Browser, documents: int, alice: Actor
) -> None:
    alarm = await delete_much(documents)
    await browser.log_in("alice")
    assert 'name="seen" value="1"' in (await browser.get("/")).text
    await delete_much(documents)
    answer = await browser.post(f"/alarms/{alarm}/answer", {"seen": "1"})
    assert "that stays open" in (await browser.get(answer.location)).text
    assert (await info(alice, "documents")).state == State.CRITICAL


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/\\evil"])
async def test_an_answer_leads_to_pages_of_ours_alone(
    browser: Browser, documents: int, back: str
) -> None:
    alarm = await delete_much(documents)
    await browser.log_in("alice")
    answer = await browser.post(f"/alarms/{alarm}/answer", {"back": back})
    assert answer.location == "/"


async def test_the_key_that_did_it_is_disabled_with_one_click(
    browser: Browser, documents: int, alice: Actor
) -> None:
    key = await keys.add_key(alice, keys.AddKey(name="laptop", owner="alice", text=public_key()))
    session = await add_session(documents, key_id=key.id)
    await alarms.happened(
        documents, EventKind.APPEND_ONLY_DELETION, "It deleted.", session_id=session.id
    )
    alarm = (await Alarm.get()).id
    await browser.log_in("alice")
    text = (await browser.get("/")).text
    assert f'href="/sessions/{session.id}"' in text
    assert f'action="/alarms/{alarm}/disable-key"' in text
    await browser.post(f"/alarms/{alarm}/disable-key", {})
    assert not (await keys.find_key_by_id(alice, key.id)).enabled
    assert f'action="/alarms/{alarm}/disable-key"' not in (await browser.get("/")).text


async def test_what_is_unknown_says_why(browser: Browser, documents: int, alice: Actor) -> None:
    trouble = Trouble(
        EventKind.STORAGE_UNAVAILABLE, "t", "The storage is away.", unknown="storage unavailable"
    )
    await server_alarms.report("location:1", trouble)
    await browser.log_in("alice")
    text = (await browser.get("/")).text
    assert "<b>1</b> unknown<" in plain(text)
    assert "Nothing is known of one repository: storage unavailable." in plain(text)
    assert "favicon-bad" in text
    assert "storage unavailable" in (await browser.get(f"/repositories/{documents}")).text
    await server_alarms.report("location:1", None)


async def test_a_repository_is_watched_unless_it_is_said_otherwise(
    browser: Browser, alice: Actor
) -> None:
    await User.filter(name="alice").update(timezone="Europe/Vienna")
    await browser.log_in("alice")
    form = (await browser.get("/repositories/add")).text
    assert re.search(r'value="day" checked', form)
    assert 'value="Europe/Vienna"' in form  # without a script; with one, the browser's
    assert "data-browser-zone" in form
    zone = {"timezone": "Europe/Berlin"}
    for name, typed, words in (
        ("unsaid", {}, "every day"),
        ("daily", {"kind": "day", **zone}, "every day"),
        (
            "nightly",
            {"kind": "day", "day_at": "03:05", **zone},
            "every day at 03:05, Europe/Berlin",
        ),
        ("weekly", {"kind": "week", **zone}, "every week"),
        (
            "sundays",
            {"kind": "week", "weekday": "0", "week_at": "22:00", **zone},
            "every Sunday at 22:00, Europe/Berlin",
        ),
        ("often", {"kind": "interval", "every": "12h", **zone}, "every 12 hours"),
        (
            "working-days",
            {"kind": "cron", "cron": "0 3 * * mon-fri", **zone},
            "every working day at 03:00, Europe/Berlin",
        ),
        ("free", {"kind": "none", **zone}, "not watched"),
        ("brought", {"kind": "day", "mode": "IMPORT", **zone}, "not watched"),
    ):
        answer = await browser.post("/repositories/add", {"name": name, **typed})
        assert answer.status == 303, name
        assert (await info(alice, name)).schedule.in_words == words
    assert "<b>2</b> not watched" in plain((await browser.get("/")).text)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"kind": "day", "day_at": "25:00"}, "This is not a valid time"),
        ({"kind": "week", "week_at": "03:00"}, "on which day"),
        ({"kind": "week", "weekday": "7"}, "none of the choices"),
        ({"kind": "interval"}, "Say how often"),
        ({"kind": "cron", "cron": "0 3 * *"}, "not five"),
        ({"kind": "day", "day_at": "03:00", "timezone": "Europe/Berlyn"}, "did you mean"),
        ({"kind": "sometimes"}, "none of the choices"),
    ],
)
async def test_a_schedule_that_is_none_adds_nothing_and_what_was_typed_stays(
    browser: Browser, alice: Actor, typed: dict[str, str], said: str
) -> None:
    await browser.log_in("alice")
    answer = await browser.post("/repositories/add", {"name": "new", **typed})
    assert answer.status == 422
    assert said in answer.text
    assert 'value="new"' in answer.text
    assert not await Repository.exists()


@pytest.mark.parametrize(
    ("change", "chosen"),
    [
        (ScheduleChange(every=timedelta(days=1)), 'value="day" checked'),
        (ScheduleChange(every=timedelta(hours=5)), 'value="interval" checked'),
        (ScheduleChange(cron="5 3 * * *", timezone="Asia/Tokyo"), 'value="03:05"'),
        (ScheduleChange(cron="5 3 * * 0", timezone="Asia/Tokyo"), 'value="0" selected'),
        (ScheduleChange(cron="*/5 * * * *", timezone="Asia/Tokyo"), 'value="*/5 * * * *"'),
        (ScheduleChange(no_schedule=True), 'value="none" checked'),
    ],
)
async def test_the_form_shows_the_schedule_as_it_is(
    browser: Browser, documents: int, alice: Actor, change: ScheduleChange, chosen: str
) -> None:
    await schedules.set_schedule(alice, documents, change)
    await browser.log_in("alice")
    form = (await browser.get(f"/repositories/{documents}/schedule")).text
    assert chosen in form
    # A zone that somebody chose is not taken for the browser's.
    assert ("data-browser-zone" in form) == (change.timezone is None)
    if change.timezone:
        assert 'value="Asia/Tokyo"' in form


async def test_what_is_not_watched_is_watched_with_one_click(
    browser: Browser, alice: Actor
) -> None:
    made = await catalogue.add_repository(alice, "free", owner="alice")
    await review.note_backup(made.id, clock.now())
    await browser.log_in("alice")
    here = f"/repositories/{made.id}"
    assert "<b>1</b> not watched" in plain((await browser.get("/")).text)
    page = plain((await browser.get(here)).text)
    assert "Nobody notices when its backups stop." in page
    assert "Not watched" in page
    assert (await browser.post(f"{here}/watch", {})).location == here
    assert (await info(alice, "free")).schedule.in_words == "every day"
    page = plain((await browser.get(here)).text)
    assert f'action="{here}/watch"' not in page
    page = plain((await browser.get(f"{here}/settings")).text)
    assert "Every day, next tomorrow at" in page


async def test_the_schedule_that_it_keeps_is_proposed(browser: Browser, alice: Actor) -> None:
    made = await catalogue.add_repository(alice, "free", owner="alice")
    for days in (0.01, 7, 14):
        await add_session(made.id, minutes_ago=days * 1440, archive_created=ArchiveCreated.YES)
    await browser.log_in("alice")
    here = f"/repositories/{made.id}"
    page = plain((await browser.get(here)).text)
    assert "It backs up about every 7 days. Watch it?" in page
    (every,) = re.findall(r'name="every" value="(\w+)"', page)
    await browser.post(f"{here}/watch", {"every": every})
    assert (await info(alice, "free")).schedule.in_words == "every week"


async def test_who_makes_it_a_repository_for_backups_is_asked_when_to_expect_them(
    browser: Browser, alice: Actor
) -> None:
    made = await creation.create(alice, CreateRepository(name="sent", mode=Mode.EXPORT))
    await browser.log_in("alice")
    form = (await browser.get(f"/repositories/{made.id}/mode")).text
    assert re.search(r'value="day" checked', form)
    typed = {"mode": "BORG", "kind": "day", "day_at": "03:00", "timezone": "Europe/Berlin"}
    wrong = await browser.post(f"/repositories/{made.id}/mode", {**typed, "day_at": "3 o'clock"})
    assert (wrong.status, "This is not a valid time" in wrong.text) == (422, True)
    assert (await browser.post(f"/repositories/{made.id}/mode", typed)).status == 303
    found = await info(alice, "sent")
    assert (found.state, found.schedule.in_words) == (
        State.NEW,
        "every day at 03:00, Europe/Berlin",
    )
    # Who has a schedule is not asked again.
    assert 'name="kind"' not in (await browser.get(f"/repositories/{made.id}/mode")).text


async def test_schedules_and_states_are_said_in_german(
    browser: Browser, documents: int, alice: Actor
) -> None:
    await User.filter(name="alice").update(language="de", timezone="Europe/Berlin")
    change = ScheduleChange(cron="0 3 * * *", timezone="Europe/Berlin")
    await schedules.set_schedule(alice, documents, change)
    await delete_much(documents)
    await browser.log_in("alice")
    page = plain((await browser.get(f"/repositories/{documents}/settings")).text)
    assert "Täglich um 03:00, Europe/Berlin, nächste" in page
    page = plain((await browser.get(f"/repositories/{documents}")).text)
    assert "Täglich um 03:00, Europe/Berlin" in page
    assert "91 % gelöscht" in page
    assert "Das war ich" in page
