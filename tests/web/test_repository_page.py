"""The page of one repository: its schedule, its growth, its integrity, and setting up clients."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest

from hive import clock
from hive.kinds import Access, ArchiveCreated, Health, ScheduleKind, UpkeepKind, UpkeepState
from hive.models import Inspection, Repository, Statistic, Upkeep
from hive.services.gate import host_keys
from hive.services.health import infos as health_info
from hive.services.health import review, schedules
from hive.services.health.infos import HealthInfo
from hive.services.health.schedules import ScheduleChange
from hive.services.keys import keys
from hive.services.overview.connecting import connection
from hive.services.permissions import Actor
from hive.services.repositories import catalogue
from tests.programs import tool_command
from tests.web.browser import Browser
from tests.web.rows import add_session, public_key, put_on_disk
from web.setup_guides import clients
from web.setup_guides.clients import Client


@pytest.fixture
async def documents(alice: Actor) -> int:
    """A repository that was backed up yesterday, with an append-only key."""
    await keys.add_key(alice, keys.AddKey(name="nas", owner="alice", text=public_key()))
    made = await catalogue.add_repository(
        alice, "documents", owner="alice", accesses={"nas": Access.APPEND_ONLY}
    )
    await put_on_disk(made.id)
    await review.note_backup(made.id, clock.now() - timedelta(days=1))
    return made.id


async def _page(browser: Browser, repository_id: int, query: str = "") -> str:
    """The page as one reads it: no elements, single spaces."""
    text = (await browser.get(f"/repositories/{repository_id}{query}")).text
    return " ".join(unescape(re.sub(r"<[^>]+>", "", text)).split())


async def test_the_schedule_is_changed_with_its_tags_and_shown(
    browser: Browser, alice: Actor, documents: int
) -> None:
    await browser.log_in("alice")
    here = f"/repositories/{documents}"
    form = {"kind": "cron", "cron": "0 3 * * *", "timezone": "Europe/Berlin", "every": "1d"}
    form |= {"grace": "2h", "tag": "Home, nas  old"}
    answer = await browser.post(f"{here}/schedule", form)
    assert (answer.status, answer.location) == (303, here)
    info = await health_info.health_info(alice, documents)
    assert (info.schedule.cron, info.schedule.timezone) == ("0 3 * * *", "Europe/Berlin")
    assert (info.schedule.grace, info.tags) == (timedelta(hours=2), ("home", "nas", "old"))
    await review.note_backup(documents, clock.now())
    text = await _page(browser, documents)
    assert "The schedule was changed." in text
    assert "The next is expected by" in text
    assert "0 3 * * *" in await _page(browser, documents, "/settings")
    await browser.post(f"{here}/schedule", {"kind": "interval", "every": "12h", "tag": "nas"})
    info = await health_info.health_info(alice, documents)
    assert (info.schedule.every, info.tags) == (timedelta(hours=12), ("nas",))
    assert info.schedule.has_default_grace


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Choose when backups are expected."),
        ({"kind": "sometimes"}, "This is none of the choices."),
        ({"kind": "interval", "every": ""}, "Say how often."),
        ({"kind": "interval", "every": "often"}, "is not a time span"),
        ({"kind": "interval", "every": "1s"}, "at least every 366 days"),
        ({"kind": "cron", "cron": "0 3 * *"}, "fields, not five"),
        ({"kind": "cron", "cron": "0 3 * * *", "timezone": "Berlin"}, "did you mean"),
        ({"kind": "none", "tag": "a/b"}, "is not a valid tag"),
        ({"kind": "none", "grace": "900d"}, "between 0 and 366 days"),
    ],
)
async def test_what_is_wrong_in_the_form_is_told_and_changes_nothing(
    browser: Browser, alice: Actor, documents: int, fields: dict[str, str], said: str
) -> None:
    await browser.log_in("alice")
    answer = await browser.post(f"/repositories/{documents}/schedule", {"tag": "kept", **fields})
    assert answer.status == 422
    assert said in unescape(answer.text)
    assert fields.get("tag", "kept") in answer.text
    info = await health_info.health_info(alice, documents)
    assert (info.schedule.kind, info.tags) == (ScheduleKind.NONE, ())


async def test_a_pause_a_mute_and_an_acknowledgement_have_their_buttons(
    browser: Browser, alice: Actor, documents: int
) -> None:
    await schedules.set_schedule(
        alice, documents, ScheduleChange(every=timedelta(hours=1), grace=timedelta(hours=1))
    )
    await browser.log_in("alice")
    here = f"/repositories/{documents}"
    assert "Acknowledge: no more reminders" in await _page(browser, documents)
    await browser.post(f"{here}/acknowledge")
    assert "Acknowledge: no more" not in await _page(browser, documents)
    await browser.post(f"{here}/mute", {"span": "+1w"})
    assert "Muted until" in await _page(browser, documents)
    await browser.post(f"{here}/unmute")
    day = (clock.now() + timedelta(days=9)).strftime("%Y-%m-%d")
    await browser.post(f"{here}/pause", {"span": "+1d", "until": day})
    info = await health_info.health_info(alice, documents)
    assert (info.health, info.muted_until) == (Health.PAUSED, None)
    assert info.paused_until is not None
    assert info.paused_until.strftime("%Y-%m-%d") == day
    assert f"No backup is expected until {day}" in await _page(browser, documents)
    await browser.post(f"{here}/resume")
    assert (await health_info.health_info(alice, documents)).health == Health.LATE


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("resume", {}), "is not paused"),
        (("unmute", {}), "is not muted"),
        (("acknowledge", {}), "there is no missing backup to acknowledge"),
        (("pause", {}), "Say when it ends."),
        (("pause", {"until": "2001-01-01"}), "is in the past"),
        (("mute", {"span": "soon"}), "is not a point in time"),
        (("mute", {"span": "+10w", "until": "9999-01-01"}), "too far away"),
    ],
)
async def test_what_cannot_be_done_is_said_on_the_page(
    browser: Browser, alice: Actor, documents: int, asked: tuple[str, dict[str, str]], said: str
) -> None:
    action, fields = asked
    await browser.log_in("alice")
    answer = await browser.post(f"/repositories/{documents}/{action}", fields)
    assert (answer.status, answer.location) == (303, f"/repositories/{documents}")
    assert said in await _page(browser, documents)


async def test_the_chart_shows_the_chosen_time(
    browser: Browser, alice: Actor, documents: int
) -> None:
    now = clock.now()
    for days, size in ((300, 5_000_000_000), (3, 7_000_000_000), (2, 8_000_000_000)):
        at = now - timedelta(days=days)
        await Statistic.create(
            repository_id=documents, at=at, size_bytes=size, live_bytes=size, reclaimable_bytes=0
        )
    await add_session(
        documents, minutes_ago=2880, archive_created=ArchiveCreated.YES, bytes_added=1_000_000_000
    )
    await browser.log_in("alice")
    for chosen, points in (
        *(("day", 0), ("week", 3), ("month", 3)),
        *(("quarter", 3), ("year", 4), ("all", 4)),
    ):
        text = (await browser.get(f"/repositories/{documents}?range={chosen}")).text
        found = re.search(r'class="edge" points="([^"]*)"', text)
        assert len(found[1].split() if found else []) == points, chosen
        bars = re.findall(r'<rect x="[^>]*><title[^>]*>[^<]*: \+1.00 GB', text)
        assert len(bars) == (1 if points else 0)
    assert (await browser.get(f"/repositories/{documents}?range=century")).status == 422


async def test_a_check_can_be_asked_for_and_its_result_is_shown(
    browser: Browser, alice: Actor, documents: int
) -> None:
    await browser.log_in("alice")
    answer = await browser.post(f"/repositories/{documents}/check")
    assert answer.location == f"/repositories/{documents}#integrity"
    wanted = await Upkeep.get(repository_id=documents)
    assert (wanted.kind, wanted.state, wanted.asked_by) == (
        UpkeepKind.CHECK,
        UpkeepState.WAITING,
        "alice",
    )
    assert "Not checked yet" in await _page(browser, documents)
    await Inspection.create(
        repository_id=documents,
        checked_at=clock.now() - timedelta(days=9),
        check_error="Segment 7 is damaged.",
    )
    text = await _page(browser, documents)
    for said in ("Damaged", "last whole check 1 week ago", "Segment 7 is damaged."):
        assert said in text


async def test_only_an_administrator_lets_go_what_append_only_keys_deleted(
    browser: Browser, alice: Actor, root: Actor, documents: int
) -> None:
    """A thief with an append-only key deletes all; the owner's click must not make it final."""
    session = await add_session(
        documents, access=Access.APPEND_ONLY, operation="delete", bytes_removed=34_000_000_000
    )
    here = f"/repositories/{documents}"
    await browser.log_in("alice")
    text = (await browser.get(here)).text
    assert f'href="/sessions/{session.id}"' in text
    assert "34.00 GB" in text
    assert 'name="confirmed"' not in text
    assert 'name="confirmed"' not in (await browser.get(f"{here}/settings")).text
    await browser.post(f"{here}/compact")
    assert "have deleted data since the last compaction" in await _page(browser, documents)
    assert (await browser.post(f"{here}/compact", {"confirmed": "yes"})).status == 403
    assert not await Upkeep.filter(repository_id=documents).exists()
    await browser.log_in("root")
    assert 'name="confirmed"' in (await browser.get(f"{here}/settings")).text
    await browser.post(f"{here}/compact", {"confirmed": "yes"})
    assert (await Upkeep.get(repository_id=documents)).is_confirmed


async def test_measuring_now_tells_that_there_is_nothing_any_more(
    browser: Browser, alice: Actor, documents: int
) -> None:
    """What the rows say is on disk is not there: the page must not go on showing its size."""
    await browser.log_in("alice")
    answer = await browser.post(f"/repositories/{documents}/measure")
    assert answer.location == f"/repositories/{documents}#size"
    assert "The repository was measured." in await _page(browser, documents)
    assert (await Inspection.get(repository_id=documents)).at is not None


async def test_the_set_up_of_clients_has_the_real_address(
    browser: Browser, alice: Actor, documents: int
) -> None:
    await host_keys.load()
    found = await connection(alice, documents)
    details = found.head.details
    repository = details.repository
    await browser.log_in("alice")
    for client in Client:
        steps = clients.guide(client, found).steps
        snippets = [snippet for step in steps for snippet in step.snippets]
        assert any(repository.url in snippet.text for snippet in snippets), client
        assert any(f"-p {details.port}" in snippet.text for snippet in snippets)
        assert any(f"{repository.login}@{details.host}" in one.text for one in snippets)
        for identity in details.host_identities:
            assert any(identity.known_hosts_line in snippet.text for snippet in snippets)
        answer = await browser.get(f"/repositories/{documents}/connect?client={client}")
        text = unescape(answer.text)
        for snippet in snippets:
            assert snippet.text in text, snippet.id
    await Repository.filter(id=documents).update(mode="IMPORT")
    assert "borg create" not in await _page(browser, documents, "/connect")


@pytest.mark.parametrize("access", [Access.APPEND_ONLY, Access.FULL])
async def test_borgmatic_takes_its_configuration(
    alice: Actor, documents: int, tmp_path: Path, access: Access
) -> None:
    found = replace(await connection(alice, documents), access=access)
    steps = clients.guide(Client.BORGMATIC, found).steps
    (write,) = [one for step in steps for one in step.snippets if one.id == "connect-config"]
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    subprocess.run(["/bin/bash", "-e"], input=write.text, text=True, check=True, env=environment)
    (file,) = (tmp_path / ".config/borgmatic.d").iterdir()
    borgmatic = tool_command(".venv-borgmatic", "borgmatic", "HIVE_TEST_BORGMATIC")
    command = [borgmatic, "config", "validate", "--show", "--config", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert found.head.details.repository.url in ended.stdout
    assert "deprecated" not in ended.stdout + ended.stderr


async def test_setting_a_machine_up_stays_first_until_the_first_backup(
    browser: Browser, alice: Actor
) -> None:
    made = await catalogue.add_repository(alice, "fresh", owner="alice")
    await browser.log_in("alice")

    async def shown() -> tuple[bool, str]:
        """Whether connecting it is the next thing to do, and what is awaited."""
        text = (await browser.get(f"/repositories/{made.id}")).text
        arrival = re.search(r'class="arrival ([\w-]+)"', text)
        action = text.partition('class="actions"')[2].partition("</div>")[0]
        is_next = f'href="/repositories/{made.id}/connect"' in action
        return is_next, arrival[1] if arrival else ""

    assert await shown() == (True, "waiting")
    await put_on_disk(made.id)
    await add_session(made.id, minutes_ago=20, operation="init")
    assert await shown() == (True, "connected")
    session = await add_session(made.id, minutes_ago=9, archive_created=ArchiveCreated.YES)
    assert session.ended_at is not None
    await review.note_backup(made.id, session.ended_at)
    assert await shown() == (False, "backed-up")
    later = await add_session(made.id, minutes_ago=3, archive_created=ArchiveCreated.YES)
    assert later.ended_at is not None
    assert await shown() == (False, "")


async def test_a_maintenance_that_ends_while_the_page_is_read_is_no_error(
    browser: Browser, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that the page says of the repository is of one moment."""
    made = (await catalogue.add_repository(alice, "busy", owner="alice")).id
    await Repository.filter(id=made).update(maintenance="it is being checked")
    await browser.log_in("alice")
    look = health_info.health_info

    async def then_it_ends(actor: Actor, repository_id: int) -> HealthInfo:
        found = await look(actor, repository_id)
        await Repository.filter(id=repository_id).update(maintenance=None)
        return found

    monkeypatch.setattr(health_info, "health_info", then_it_ends)
    answer = await browser.get(f"/repositories/{made}")
    assert answer.status == 200
    assert "it is being checked" in answer.text
