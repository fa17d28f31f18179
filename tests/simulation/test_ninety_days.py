"""Ninety days of repositories: what is told is what an independent, simple model says."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from datetime import UTC, datetime, timedelta

import pytest

from hive import clock
from hive.config import Settings
from hive.kinds import EventKind, Source
from hive.models import Event, Preference, Repository, User
from hive.services import health
from hive.services.permissions import Actor
from tests import factories
from tests.simulation import model
from tests.simulation.model import STEP, Expected, Plan, Wish

# 90 days hold the changes of the clocks in all three zones.
BEGIN = datetime(2026, 2, 20, tzinfo=UTC)
REPOSITORIES = int(os.environ.get("HIVE_SIMULATION_REPOSITORIES", "24"))
DAYS = int(os.environ.get("HIVE_SIMULATION_DAYS", "90"))
TOLD = (EventKind.LATE, EventKind.DOWN, EventKind.STILL_DOWN, EventKind.RECOVERED)
WISHES = (
    Wish(timedelta(hours=12), timedelta(days=5)),
    Wish(timedelta(hours=48), timedelta(days=30)),
    Wish(timedelta(hours=5), timedelta(days=1)),
)


async def add(number: int, plan: Plan, owner: str, created_at: datetime) -> int:
    user = await User.get(name=owner)
    actor = Actor(user.id, user.name, is_admin=False, source=Source.SYSTEM)
    info = await factories.make_repository(actor, name=f"repository{number}")
    values: dict[str, object] = {"grace_seconds": int(plan.grace.total_seconds())}
    if plan.every is not None:
        values |= {
            "schedule_kind": "interval",
            "schedule_seconds": int(plan.every.total_seconds()),
        }
    else:
        values |= {
            "schedule_kind": "cron",
            "schedule_cron": f"{plan.minute} {plan.hour} * * *",
            "schedule_timezone": plan.zone,
        }
    await Repository.filter(id=info.id).update(**values, created_at=created_at, look_at=created_at)
    return info.id


async def look(chance: random.Random, *, is_killed: bool) -> None:
    """A tick of the scheduler; one that is killed is followed by that of the next server."""
    if is_killed:
        task = asyncio.ensure_future(health.tick())
        for _ in range(chance.randrange(1, 60)):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await health.tick()


@pytest.mark.parametrize("seed", [1, 2])
async def test_ninety_days_are_told_as_a_simple_model_says(hive: Settings, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test that can be repeated
    clock.use(lambda: BEGIN)
    for number, wish in enumerate(WISHES):
        user = await factories.make_user(f"owner{number}")
        await Preference.create(
            user_id=user.user_id,
            reminder_hours=wish.every // timedelta(hours=1),
            expiration_days=wish.expires.days,
        )
    steps = int(timedelta(days=DAYS) / STEP)
    expected: dict[int, Expected] = {}
    coming: dict[int, list[int]] = {}
    for number, plan in enumerate(model.plans(chance, REPOSITORIES)):
        owner = number % len(WISHES)
        made = await add(number, plan, f"owner{owner}", BEGIN)
        expected[made] = Expected(plan, WISHES[owner], BEGIN)
        for step in model.backups(chance, plan, BEGIN, DAYS):
            coming.setdefault(step, []).append(made)
    away = model.absences(chance, steps)
    for step in range(steps):
        if step in away:
            continue
        now = BEGIN + step * STEP
        clock.use(lambda now=now: now)  # type: ignore[misc]  # a lambda with a default
        for made in coming.get(step, ()):
            expected[made].backup(now)
            await health.note_backup(made, now)
        for one in expected.values():
            one.look(now)
        await look(chance, is_killed=step + 1 in away)
    for made, one in expected.items():
        rows = await Event.filter(repository_id=made, kind__in=TOLD).order_by("id")
        told = [(row.at, str(row.kind)) for row in rows]
        assert told == one.told, (seed, one.plan)
    assert sum(len(one.told) for one in expected.values()) > REPOSITORIES
