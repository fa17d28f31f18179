from __future__ import annotations

import json
from typing import Any

import pytest

from hive.errors import InvalidInput
from hive.kinds import EventKind, TriggerKind, TriggerState
from hive.models import AuditEntry, Event, TriggerRun
from hive.services import triggers
from hive.services.repositories.infos import RepositoryInfo
from hive.services.triggers import TriggerInfo, TriggerRunInfo
from hive.services.triggers import runs as rows
from tests.factories import People
from tests.services.triggers.awx import TOKEN, FakeAwx
from tests.services.triggers.conftest import Time, tick, told


async def add(people: People, repository: RepositoryInfo, awx: FakeAwx, **more: Any) -> TriggerInfo:
    settings = {"url": awx.url, "template": "7", "token": TOKEN, "extra_vars": '{"host": "nas"}'}
    settings |= more.pop("settings", {})
    return await triggers.add_trigger(
        people.alice,
        repository.id,
        triggers.AddTrigger(name="nightly", kind=TriggerKind.AWX, settings=settings, **more),
    )


async def pressed(people: People, trigger: TriggerInfo) -> TriggerRunInfo:
    run = await triggers.start_now(people.alice, trigger.id)
    await tick()
    return await triggers.get_run(people.alice, run.id)


async def test_a_job_is_launched_with_its_variables_and_followed_to_its_end(
    people: People, documents: RepositoryInfo, awx: FakeAwx, time: Time
) -> None:
    variables = json.dumps({"host": "nas", "repository": "{url}", "ways": ["{login}"], "n": 3})
    trigger = await add(people, documents, awx, settings={"extra_vars": variables})
    run = await pressed(people, trigger)
    assert awx.launches == [
        {
            "extra_vars": {
                "host": "nas",
                "repository": documents.url,
                "ways": [documents.login],
                "n": 3,
            }
        }
    ]
    assert (run.state, run.external_id) == (TriggerState.RUNNING, "42")
    assert run.link == f"{awx.url}/#/jobs/playbook/42/output"
    for status in ("new", "waiting", "running"):
        awx.job["status"] = status
        time.pass_by(minutes=1)
        await tick()
        run = await triggers.get_run(people.alice, run.id)
        assert (run.state, run.message) == (TriggerState.RUNNING, f"Job 42 is {status}.")
    awx.job["status"] = "successful"
    time.pass_by(minutes=1)
    await tick()
    run = await triggers.get_run(people.alice, run.id)
    assert (run.state, run.ended_at) == (TriggerState.SUCCEEDED, time.now)
    assert len(awx.launches) == 1
    assert await told(EventKind.TRIGGER_STARTED) == ["Trigger nightly is called by alice."]
    assert await told(EventKind.TRIGGER_ENDED) == [
        "Trigger nightly ended well. Job 42: successful."
    ]


@pytest.mark.parametrize("status", ["failed", "error", "canceled"])
async def test_a_job_that_does_not_end_well_is_a_failure(
    people: People, documents: RepositoryInfo, awx: FakeAwx, time: Time, status: str
) -> None:
    run = await pressed(people, await add(people, documents, awx))
    awx.job |= {"status": status, "job_explanation": "Task was canceled due to receiving a signal"}
    time.pass_by(minutes=1)
    await tick()
    assert (await triggers.get_run(people.alice, run.id)).state == TriggerState.FAILED
    (message,) = await told(EventKind.TRIGGER_FAILED)
    assert f"Job 42: {status}. Task was canceled" in message


async def test_the_longer_a_job_takes_the_more_seldom_it_is_looked_at(
    people: People, documents: RepositoryInfo, awx: FakeAwx, time: Time
) -> None:
    await pressed(people, await add(people, documents, awx))
    awx.job["status"] = "running"
    for _ in range(180):  # half an hour, a tick each ten seconds
        time.pass_by(seconds=10)
        await triggers.run_due()
        await triggers.settled()
    assert 25 <= awx.looks <= 40


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"token": "wrong-token-123"}, ["401", "token is wrong"]),
        ({"template": "9"}, ["403", "may not execute", "You do not have permission"]),
        ({"template": "5"}, ["404", "no such job template"]),
        ({"extra_vars": "{}"}, ["400", "variables_needed_to_start: 'host' value missing"]),
        ({"api": "/somewhere/else"}, ["404"]),
    ],
)
async def test_what_awx_refuses_is_told_in_words(
    people: People,
    documents: RepositoryInfo,
    awx: FakeAwx,
    changed: dict[str, str],
    words: list[str],
) -> None:
    run = await pressed(people, await add(people, documents, awx, settings=changed))
    assert run.state == TriggerState.FAILED
    assert all(word in run.message for word in words), run.message
    assert awx.launches == []


async def test_variables_that_the_template_ignores_are_told_until_the_end(
    people: People, documents: RepositoryInfo, awx: FakeAwx, time: Time
) -> None:
    run = await pressed(people, await add(people, documents, awx, settings={"template": "8"}))
    assert "ignored extra_vars (host)" in run.message
    awx.job["status"] = "running"
    time.pass_by(minutes=1)
    await tick()
    awx.job["status"] = "successful"
    time.pass_by(minutes=1)
    await tick()
    (message,) = await told(EventKind.TRIGGER_ENDED)
    assert "successful" in message
    assert "ignored extra_vars (host)" in message


async def test_when_awx_asks_for_patience_it_is_asked_again_later(
    people: People, documents: RepositoryInfo, awx: FakeAwx, time: Time
) -> None:
    awx.refuse_with = (429, {"detail": "Request was throttled."}, {"Retry-After": "120"})
    run = await pressed(people, await add(people, documents, awx))
    assert (run.state, run.external_id) == (TriggerState.RUNNING, None)
    awx.refuse_with = None
    time.pass_by(seconds=100)
    await tick()
    assert awx.launches == []
    time.pass_by(seconds=30)
    await tick()
    assert len(awx.launches) == 1


async def test_an_awx_that_fails_for_a_while_is_looked_at_again(
    people: People, documents: RepositoryInfo, awx: FakeAwx, time: Time
) -> None:
    run = await pressed(people, await add(people, documents, awx))
    awx.refuse_with = (502, {}, {})
    time.pass_by(minutes=1)
    await tick()
    assert (await triggers.get_run(people.alice, run.id)).message == "Job 42: AWX answered 502."
    awx.refuse_with, awx.job["status"] = None, "successful"
    time.pass_by(minutes=2)
    await tick()
    assert (await triggers.get_run(people.alice, run.id)).state == TriggerState.SUCCEEDED


async def test_a_job_that_is_gone_is_followed_no_more(
    people: People, documents: RepositoryInfo, awx: FakeAwx, time: Time
) -> None:
    run = await pressed(people, await add(people, documents, awx))
    awx.job["id"] = 43
    time.pass_by(minutes=1)
    await tick()
    run = await triggers.get_run(people.alice, run.id)
    assert run.state == TriggerState.FAILED
    assert "cannot be followed any more (404)" in run.message


async def test_a_job_that_never_ends_is_given_up(
    people: People, documents: RepositoryInfo, awx: FakeAwx, time: Time
) -> None:
    run = await pressed(people, await add(people, documents, awx, settings={"give_up": "2h"}))
    awx.job["status"] = "running"
    time.pass_by(hours=1)
    await tick()
    time.pass_by(hours=1, minutes=1)
    await tick()
    run = await triggers.get_run(people.alice, run.id)
    assert run.state == TriggerState.FAILED
    assert run.message == "Given up after 2 hours. Job 42 is running."


async def test_a_restart_in_the_middle_goes_on_following_the_same_job(
    people: People, documents: RepositoryInfo, awx: FakeAwx, time: Time
) -> None:
    """Between the two servers only the database is left."""
    run = await pressed(people, await add(people, documents, awx))
    # killed while it looked at the job: claimed, and nobody is there who would go on
    await TriggerRun.filter(id=run.id).update(look_at=time.now)
    assert await rows.claim(run.id) is not None
    await triggers.recover()
    awx.job["status"] = "successful"
    time.pass_by(minutes=6)
    await tick()
    assert (await triggers.get_run(people.alice, run.id)).state == TriggerState.SUCCEEDED
    assert len(awx.launches) == 1


async def test_a_server_killed_while_it_launched_says_that_it_does_not_know(
    people: People, documents: RepositoryInfo, awx: FakeAwx
) -> None:
    trigger = await add(people, documents, awx)
    run = await triggers.start_now(people.alice, trigger.id)
    await TriggerRun.filter(id=run.id).update(look_at=None)  # claimed, not kept
    assert await triggers.recover() == 1
    after = await triggers.get_run(people.alice, run.id)
    assert after.state == TriggerState.FAILED
    assert "Whether it arrived is not known" in after.message
    assert await tick() == 0
    assert awx.launches == []


async def test_a_server_that_is_not_awx_is_named_as_such(
    people: People, documents: RepositoryInfo, awx: FakeAwx
) -> None:
    awx.refuse_with = (200, {"hello": "world"}, {})
    run = await pressed(people, await add(people, documents, awx))
    assert run.state == TriggerState.FAILED
    assert "is not AWX" in run.message


async def test_an_internal_address_needs_the_administrators_leave(
    people: People, documents: RepositoryInfo, awx: FakeAwx
) -> None:
    elsewhere = awx.url.replace("127.0.0.1", "[::1]")
    run = await pressed(people, await add(people, documents, awx, settings={"url": elsewhere}))
    assert run.state == TriggerState.FAILED
    assert "allowed_networks" in run.message


async def test_the_token_is_seen_nowhere(
    people: People, documents: RepositoryInfo, awx: FakeAwx, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = "hushhush-31415"
    trigger = await add(people, documents, awx, settings={"token": secret})
    run = await pressed(people, trigger)
    assert "Authentication failed: Bearer ••••" in run.message
    seen = [str(trigger), str(run), str(await triggers.list_triggers(people.admin))]
    seen += [f"{row.message}{row.details}" for row in await Event.all()]
    seen += [f"{row.subject}{row.details}" for row in await AuditEntry.all()]
    out, err = capfd.readouterr()
    assert secret not in "".join([*seen, out, err])
    assert trigger.settings["token"] == "••••"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"template": "x"}, "template"),
        ({"token": ""}, "token"),
        ({"url": "ftp://awx"}, "url"),
        ({"url": "https://me:secret@awx.example.org"}, "url"),
        ({"extra_vars": "[1]"}, "extra_vars"),
        ({"give_up": "90d"}, "give_up"),
        ({"template_id": "7"}, "template_id"),
    ],
)
async def test_wrong_settings_are_refused_by_name(
    people: People, documents: RepositoryInfo, awx: FakeAwx, changed: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await add(people, documents, awx, settings=changed)
    assert refused.value.field == field
    assert await triggers.list_triggers(people.alice) == []
