"""When triggers are called by themselves, and who may do what with them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hive import clock, database, signals
from hive.errors import Conflict, Forbidden, InvalidInput, NotFound
from hive.kinds import EventKind, Health, ShareLevel, TriggerKind, TriggerReason, TriggerState
from hive.models import AuditEntry, HealthChange, Repository, Trigger, TriggerRun
from hive.services import events as rows
from hive.services import triggers
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from hive.services.triggers import ChangeTrigger, TriggerInfo, runs
from tests import factories
from tests.factories import People
from tests.services.triggers.conftest import NOON, Time, tick, told


async def add(
    people: People, repository: RepositoryInfo, name: str = "nightly", **more: object
) -> TriggerInfo:
    return await triggers.add_trigger(
        people.admin,
        repository.id,
        triggers.AddTrigger(
            name=name,
            kind=TriggerKind.COMMAND,
            settings={"command": "env"},
            **more,  # type: ignore[arg-type]
        ),
    )


async def states(trigger: TriggerInfo, people: People) -> list[TriggerState]:
    return [run.state for run in (await triggers.list_runs(people.admin, trigger.id))[::-1]]


async def become(repository: RepositoryInfo, former: Health, health: Health) -> None:
    now = clock.now()
    await Repository.filter(id=repository.id).update(health=health, health_since=now)
    await HealthChange.create(repository_id=repository.id, at=now, former=former, health=health)


async def test_it_is_called_at_its_time_in_its_zone(
    people: People, documents: RepositoryInfo, time: Time
) -> None:
    trigger = await add(people, documents, cron="30 13 * * *", timezone="Europe/Berlin")
    assert trigger.next_at == NOON + timedelta(minutes=30)
    time.pass_by(minutes=29)
    assert await tick() == 0
    time.pass_by(minutes=1)
    assert await tick() == 1
    assert await tick() == 0
    assert await states(trigger, people) == [TriggerState.SUCCEEDED]
    (after,) = await triggers.list_triggers(people.alice)
    assert after.next_at == NOON + timedelta(days=1, minutes=30)
    assert await told(EventKind.TRIGGER_STARTED) == ["Trigger nightly is called by its schedule."]


async def test_ticks_at_the_same_time_call_it_once(
    people: People, documents: RepositoryInfo, time: Time
) -> None:
    trigger = await add(people, documents, cron="* * * * *", is_for_late=True)
    await become(documents, Health.FINE, Health.LATE)
    time.pass_by(minutes=1)
    begun = await asyncio.gather(*(triggers.run_due() for _ in range(5)))
    await triggers.settled()
    assert sum(begun) == 1
    # the schedule came first, and the late backup is asked for by that call already
    seen = await states(trigger, people)
    assert seen.count(TriggerState.SUCCEEDED) == 1
    assert seen.count(TriggerState.OVERLAPPED) == 1
    assert len(seen) == 2


async def test_a_call_while_the_one_before_runs_is_told_and_not_made(
    people: People, documents: RepositoryInfo, time: Time
) -> None:
    trigger = await add(people, documents, cron="* * * * *")
    await TriggerRun.create(
        trigger_id=trigger.id,
        reason=TriggerReason.BUTTON,
        state=TriggerState.RUNNING,
        started_at=clock.now(),
    )
    time.pass_by(minutes=1)
    assert await tick() == 0
    assert await states(trigger, people) == [TriggerState.RUNNING, TriggerState.OVERLAPPED]
    assert len(await told(EventKind.TRIGGER_OVERLAPPED)) == 1
    time.pass_by(minutes=1)
    await triggers.recover()
    assert await tick() == 1


@pytest.mark.parametrize(
    ("down", "made_up"), [(timedelta(minutes=40), True), (timedelta(days=3), False)]
)
async def test_times_missed_by_a_server_that_was_down_are_told_once(
    people: People, documents: RepositoryInfo, time: Time, down: timedelta, made_up: bool
) -> None:
    trigger = await add(people, documents, cron="0 13 * * *")
    time.now = NOON + timedelta(hours=1) + down
    await tick()
    await tick()
    (message,) = await told(EventKind.TRIGGER_MISSED)
    assert ("called now" in message) is made_up
    expected = [TriggerState.SUCCEEDED] if made_up else [TriggerState.MISSED]
    assert await states(trigger, people) == expected
    (after,) = await triggers.list_triggers(people.admin)
    assert after.next_at is not None
    assert time.now < after.next_at <= time.now + timedelta(days=1)


async def test_a_late_backup_is_asked_for_once_in_each_trouble(
    people: People, documents: RepositoryInfo, time: Time
) -> None:
    trigger = await add(people, documents, is_for_late=True)
    assert await tick() == 0
    await become(documents, Health.FINE, Health.LATE)
    assert await tick() == 1
    time.pass_by(hours=1)
    assert await tick() == 0
    await become(documents, Health.LATE, Health.DOWN)
    time.pass_by(hours=1)
    assert await tick() == 0
    await become(documents, Health.DOWN, Health.FINE)
    assert await tick() == 0
    time.pass_by(days=1)
    await become(documents, Health.FINE, Health.LATE)
    assert await tick() == 1
    reasons = [run.reason for run in await triggers.list_runs(people.alice, trigger.id)]
    assert reasons == [TriggerReason.LATE] * 2


async def test_the_event_of_a_late_backup_calls_at_once(
    people: People, documents: RepositoryInfo
) -> None:
    trigger = await add(people, documents, is_for_late=True)
    await become(documents, Health.FINE, Health.LATE)
    end = triggers.listen()
    try:
        await rows.record(documents.id, EventKind.LATE, "Late.")
        async with asyncio.timeout(10):
            while await states(trigger, people) != [TriggerState.SUCCEEDED]:
                await asyncio.sleep(0.02)
    finally:
        end()


async def test_the_event_of_a_late_backup_calls_nothing_of_other_repositories(
    people: People, documents: RepositoryInfo, time: Time
) -> None:
    other = await factories.make_repository(people.alice, "other")
    late_too = await add(people, other, "late too", is_for_late=True)
    due = await add(people, other, "due", cron="* * * * *")
    trigger = await add(people, documents, is_for_late=True)
    await become(documents, Health.FINE, Health.LATE)
    await become(other, Health.FINE, Health.LATE)
    time.pass_by(minutes=1)
    end = triggers.listen()
    try:
        await rows.record(documents.id, EventKind.DOWN, "Down.")
        async with asyncio.timeout(10):
            while await states(trigger, people) != [TriggerState.SUCCEEDED]:
                await asyncio.sleep(0.02)
    finally:
        end()
    assert await states(due, people) == await states(late_too, people) == []
    assert await tick() == 2
    assert await states(due, people) == await states(late_too, people) == [TriggerState.SUCCEEDED]


async def test_a_backup_that_stays_late_costs_no_write(
    people: People, documents: RepositoryInfo, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(people, documents, is_for_late=True)
    await become(documents, Health.FINE, Health.LATE)
    written: list[object] = []
    in_one_transaction = database._in_one_transaction

    async def counting(function: Any) -> object:
        written.append(function)
        return await in_one_transaction(function)

    monkeypatch.setattr(database, "_in_one_transaction", counting)
    assert await tick() == 1
    assert written
    written.clear()
    for _ in range(3):
        time.pass_by(seconds=10)
        assert await tick() == 0
    assert written == []


async def test_a_call_does_not_enable_what_was_disabled_meanwhile(
    people: People, documents: RepositoryInfo
) -> None:
    trigger = await add(people, documents)
    row = await Trigger.get(id=trigger.id)
    await triggers.change_trigger(people.alice, trigger.id, ChangeTrigger(enabled=False))
    await runs.begin(row, TriggerReason.LATE)
    assert not (await Trigger.get(id=trigger.id)).enabled


async def test_a_button_reaches_whoever_listens_after_commit(
    people: People, documents: RepositoryInfo
) -> None:
    trigger = await add(people, documents)
    heard: list[signals.Happening] = []
    end = signals.subscribe(heard.append)
    run = await triggers.start_now(people.alice, trigger.id)
    end()
    assert signals.TriggerAsked(run.id) in heard
    await triggers.carry_out(run.id)
    await triggers.carry_out(run.id)  # the second finds nothing to do
    assert await states(trigger, people) == [TriggerState.SUCCEEDED]


async def test_one_broken_trigger_does_not_stop_the_others(
    people: People, documents: RepositoryInfo, time: Time, marks: Path
) -> None:
    broken = await add(people, documents, "broken", cron="* * * * *")
    unreadable = await add(people, documents, "unreadable", cron="* * * * *")
    await add(people, documents, "sound", cron="* * * * *")
    await Trigger.filter(id=broken.id).update(timezone="Mars/Olympus")
    await Trigger.filter(id=unreadable.id).update(settings={"nonsense": "1"})
    time.pass_by(minutes=1)
    assert await tick() == 2
    assert (marks / "env").exists()
    failed = await told(EventKind.TRIGGER_FAILED)
    assert any("broken was disabled" in message for message in failed)
    assert any("unreadable failed" in message for message in failed)
    time.pass_by(minutes=1)
    assert await tick() == 2


async def test_disabled_and_deleted_ones_rest(
    people: People, documents: RepositoryInfo, time: Time
) -> None:
    trigger = await add(people, documents, cron="* * * * *")
    resting = await triggers.change_trigger(people.alice, trigger.id, ChangeTrigger(enabled=False))
    assert resting.next_at is None
    time.pass_by(minutes=2)
    assert await tick() == 0
    awake = await triggers.change_trigger(people.alice, trigger.id, ChangeTrigger(enabled=True))
    assert awake.next_at == time.now + timedelta(minutes=1)
    await catalogue.mark_deleted(people.alice, documents.id)
    time.pass_by(minutes=2)
    assert await tick() == 0
    assert await triggers.list_triggers(people.admin) == []


async def test_who_may_only_look_sees_and_changes_nothing(
    people: People, documents: RepositoryInfo
) -> None:
    trigger = await add(people, documents)
    await catalogue.set_repository(
        people.alice, documents.id, share_with=["team"], share_level=ShareLevel.VIEW
    )
    assert (await triggers.find_trigger(people.bob, "nightly")).id == trigger.id
    assert await triggers.list_triggers(people.charlie) == []
    with pytest.raises(NotFound):
        await triggers.find_trigger(people.charlie, str(trigger.id))
    for actor, error in ((people.bob, Forbidden), (people.charlie, NotFound)):
        hook = {"url": "https://example.org"}
        with pytest.raises(error):
            await triggers.add_trigger(
                actor,
                documents.id,
                triggers.AddTrigger(name="x", kind=TriggerKind.WEBHOOK, settings=hook),
            )
        with pytest.raises(error):
            await triggers.change_trigger(actor, trigger.id, ChangeTrigger(enabled=False))
        with pytest.raises(error):
            await triggers.start_now(actor, trigger.id)
        with pytest.raises(error):
            await triggers.delete_trigger(actor, trigger.id)
    with pytest.raises(NotFound):
        await triggers.list_runs(people.charlie, trigger.id)


async def test_what_is_changed_is_audited_and_what_is_wrong_is_refused(
    people: People, documents: RepositoryInfo
) -> None:
    trigger = await add(people, documents)
    with pytest.raises(Conflict):
        await add(people, documents)
    for wrong in (
        ChangeTrigger(cron="61 * * * *"),
        ChangeTrigger(cron="* * * * *", timezone="Berlin"),
    ):
        with pytest.raises(InvalidInput):
            await triggers.change_trigger(people.alice, trigger.id, wrong)
    await triggers.change_trigger(
        people.alice, trigger.id, ChangeTrigger(name="weekly", cron="0 3 * * sun")
    )
    await triggers.start_now(people.alice, trigger.id)
    await triggers.delete_trigger(people.alice, trigger.id)
    actions = [row.action for row in await AuditEntry.filter(action__startswith="trigger.")]
    assert actions == ["trigger.add", "trigger.set", "trigger.run", "trigger.delete"]
