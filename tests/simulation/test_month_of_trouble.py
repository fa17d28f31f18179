"""A month in which storage goes away, clocks jump, channels die and alarms wait for an answer.

Whatever happens, each repository is in the state that an independent, simple model says, at each
step; and what is missing reaches an administrator, though its owner's only channel is dead. The
whole month takes minutes (HIVE_SIMULATION_DAYS=30); each run of the tests does some days of it.
"""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hive import clock
from hive.config.settings import MailSettings
from hive.kinds import Digest, EventKind
from hive.models import Alarm, Event, Location, Repository
from hive.notify.channel import Means
from hive.outgoing.client import Outgoing
from hive.services.alarms import alarms, answers
from hive.services.clock import trust
from hive.services.delivery.courier import Courier
from hive.services.health import infos as health_info
from hive.services.health import review
from hive.services.notifications import channels, preferences
from hive.services.permissions import OPERATOR
from hive.services.server import clock_watch, storage_watch
from hive.services.storage import locations, places
from tests import factories
from tests.factories import People
from tests.notify.far_end import far_end
from tests.simulation import model
from tests.simulation.model import STEP, Expected, Plan, Wish

BEGIN = datetime(2026, 4, 6, tzinfo=UTC)
DAYS = int(os.environ.get("HIVE_SIMULATION_DAYS", "8"))
REPOSITORIES = 10
WISH = Wish(timedelta(hours=24), timedelta(days=30))
TOLD = (EventKind.LATE, EventKind.DOWN, EventKind.STILL_DOWN, EventKind.RECOVERED)
DEAD = "http://127.0.0.1:9/"  # nothing listens there


class Clocks:
    """The clock on the wall, which can be set, and the one that cannot."""

    def __init__(self) -> None:
        self.wall, self.elapsed = BEGIN, 5000.0
        clock.use(lambda: self.wall)
        clock.use_elapsed(lambda: self.elapsed)

    def run(self, jump: timedelta) -> None:
        self.wall += STEP + jump
        self.elapsed += STEP.total_seconds()


@pytest.fixture
async def clocks(people: People, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clocks]:
    """A machine without NTP, so that a new time takes an hour to be trusted."""
    monkeypatch.setattr(trust, "is_synchronised", lambda: False)
    made = Clocks()
    await trust.start()
    yield made
    clock.use_elapsed(None)


@dataclass
class Trust:
    """Whether the clock is trusted: one hour after its last jump, or when it is right again."""

    wrong_by: timedelta = timedelta(0)  # since it was trusted last
    steps: int | None = None  # since it jumped last; None: it is trusted

    def after(self, jump: timedelta) -> bool:
        if jump:
            self.wrong_by += jump
            self.steps = 0
        elif self.steps is not None:
            self.steps += 1
        if self.steps is not None and (
            not self.wrong_by or self.steps * STEP >= timedelta(hours=1)
        ):
            self.wrong_by, self.steps = timedelta(0), None
        return self.steps is None


@dataclass
class Thing:
    """One repository: what the model says of it, and what happened to it."""

    id: int
    is_elsewhere: bool  # on the storage that goes away
    expected: Expected | None  # None: not watched
    has_alarm: bool = False
    coming: set[int] = field(default_factory=set)

    def state(self, *, is_trusted: bool, is_away: bool) -> str:
        if self.has_alarm:
            return "critical"
        if not is_trusted or (is_away and self.is_elsewhere):
            return "unknown"
        if self.expected is None:
            return "unwatched"
        return "fine" if self.expected.state == "up" else self.expected.state


def spans(chance: random.Random, steps: int, count: int, lengths: tuple[int, ...]) -> set[int]:
    found: set[int] = set()
    for _ in range(count):
        first = chance.randrange(steps)
        found.update(range(first, first + chance.choice(lengths)))
    return found


def jumps(chance: random.Random, steps: int) -> dict[int, timedelta]:
    """Jumps that are put right after a while, and one of hours that stays."""
    found = {}
    for number, size in enumerate((timedelta(days=40), timedelta(days=-3), timedelta(minutes=7))):
        first = steps * (number + 1) // 5 + chance.randrange(20)
        found[first] = size
        found[first + chance.randrange(2, 5)] = -size
    found[steps * 4 // 5] = timedelta(hours=5)
    return found


async def make(chance: random.Random, elsewhere: Path) -> list[Thing]:
    location = await locations.add_location(
        OPERATOR, locations.AddLocation(name="elsewhere", host="h.example", root=elsewhere)
    )
    made = []
    for number, plan in enumerate(model.plans(chance, REPOSITORIES)):
        actor = await factories.make_user(f"owner{number}")
        info = await factories.make_repository(actor, name=f"repository{number}")
        thing = Thing(info.id, number % 3 == 0, Expected(plan, WISH, BEGIN))
        values: dict[str, object] = {"created_at": BEGIN, "look_at": BEGIN}
        if thing.is_elsewhere:
            values["location_id"] = location.id
        if number % 5 == 4:
            thing.expected = None
        else:
            values |= _schedule(plan)
            thing.coming = model.backups(chance, plan, BEGIN, DAYS)
        await Repository.filter(id=info.id).update(**values)
        await preferences.change(
            OPERATOR, actor.name, digest=Digest.NONE, reminder_hours=24, expiration_days=30
        )
        hook = {"url": DEAD, "method": "POST"}
        await channels.add(OPERATOR, "dead", owner=actor.name, kind="webhook", settings=hook)
        made.append(thing)
    return made


def _schedule(plan: Plan) -> dict[str, object]:
    grace = {"grace_seconds": int(plan.grace.total_seconds()), "health": "new"}
    if plan.every is not None:
        seconds = int(plan.every.total_seconds())
        return {**grace, "schedule_kind": "interval", "schedule_seconds": seconds}
    cron = f"{plan.minute} {plan.hour} * * *"
    return {
        **grace,
        "schedule_kind": "cron",
        "schedule_cron": cron,
        "schedule_timezone": plan.zone,
    }


async def see_storage() -> None:
    """What the watcher of the storage does, without its pauses."""
    for row in await Location.all():
        await places.look(row, max_age=0)
    await storage_watch.StorageWatch()._look_around()


async def send(means: Means) -> None:
    while tasks := await Courier(means).look():
        for task in tasks:
            await task


class Month:
    """Lets time pass, and holds what the product says against the model."""

    def __init__(
        self, clocks: Clocks, things: list[Thing], chance: random.Random, root: Path
    ) -> None:
        self.steps = int(timedelta(days=DAYS) / STEP)
        self.things = things
        self._clocks, self._chance = clocks, chance
        self._jumps, self._trust = jumps(chance, self.steps), Trust()
        self._away = spans(chance, self.steps, 4, (3, 40, 200))
        self._root, self._hidden = root, root.with_name("hidden")
        self._answers: dict[int, list[Thing]] = {}
        self._is_trusted = True
        self._is_away = False

    async def pass_by(self, step: int) -> None:
        jump = self._jumps.get(step, timedelta(0))
        self._clocks.run(jump)
        self._is_trusted = self._trust.after(jump)
        if self._is_away != (step in self._away):
            self._move_storage()
        await clock_watch.ClockWatch().look()
        await see_storage()
        await self._back_up(step)
        await self._alarm(step)
        await review.review_due()
        for thing in self.things:
            if thing.expected is not None and self._can_be_seen(thing):
                thing.expected.look(self._clocks.wall)
        await self._compare(step)

    def _can_be_seen(self, thing: Thing) -> bool:
        return self._is_trusted and not (self._is_away and thing.is_elsewhere)

    def _move_storage(self) -> None:
        self._is_away = not self._is_away
        if self._is_away:
            self._root.rename(self._hidden)
            return
        self._hidden.rename(self._root)
        for thing in self.things:
            if thing.is_elsewhere and thing.expected is not None:
                thing.expected.storage_returned(self._clocks.wall)

    async def _back_up(self, step: int) -> None:
        """None comes while the storage is away; those of a doubted clock are tested elsewhere."""
        now = self._clocks.wall
        for thing in self.things:
            if step in thing.coming and thing.expected is not None and self._can_be_seen(thing):
                thing.expected.backup(now)
                await review.note_backup(thing.id, now)

    async def _alarm(self, step: int) -> None:
        if self._chance.random() < 20 / self.steps:
            thing = self._chance.choice(self.things)
            await alarms.happened(thing.id, EventKind.MASS_DELETION, "91 % deleted.")
            thing.has_alarm = True
            later = step + self._chance.randrange(1, 300)
            self._answers.setdefault(later, []).append(thing)
        for thing in self._answers.pop(step, ()):
            for row in await Alarm.filter(repository_id=thing.id, answered_at=None):
                await answers.answer(OPERATOR, row.id)
            thing.has_alarm = False

    async def _compare(self, step: int) -> None:
        infos = await health_info.health_infos(OPERATOR)
        for thing in self.things:
            wanted = thing.state(is_trusted=self._is_trusted, is_away=self._is_away)
            assert infos[thing.id].state == wanted, (step, self._clocks.wall, thing)


@pytest.mark.long
async def test_a_month_of_trouble_is_told_as_a_simple_model_says(
    clocks: Clocks, people: People, tmp_path: Path
) -> None:
    chance = random.Random(3)  # noqa: S311 - a test that can be repeated
    things = await make(chance, tmp_path / "elsewhere")
    month = Month(clocks, things, chance, tmp_path / "elsewhere")
    async with (
        far_end() as server,
        Outgoing(allowed_networks=["127.0.0.0/8"], timeout_seconds=5) as outgoing,
    ):
        means = Means(outgoing=outgoing, mail=MailSettings())
        hook = {"url": server.url, "method": "POST"}
        await channels.add(OPERATOR, "hook", owner="admin", kind="webhook", settings=hook)
        await preferences.change(
            OPERATOR, "admin", digest=Digest.NONE, reminder_hours=24, expiration_days=30
        )
        for step in range(month.steps):
            await month.pass_by(step)
            if step % 6 == 0:
                await send(means)
        clocks.run(timedelta(0))
        await send(means)
    arrived = [one.json() for one in server.received]
    for thing in things:
        rows = await Event.filter(repository_id=thing.id, kind__in=TOLD).order_by("id")
        told = [(row.at, str(row.kind)) for row in rows]
        assert told == ([] if thing.expected is None else thing.expected.told), thing
        # its owner's only channel is dead: an administrator hears of what is missing
        heard = {one["id"] for one in arrived if is_about(one, thing, "down")}
        assert len(heard) == [kind for _, kind in told].count("down"), thing
    kinds = {note["kind"] for note in arrived}
    assert {"storage unavailable", "clock jumped", "channel failing", "mass deletion"} <= kinds


def is_about(note: dict[str, object], thing: Thing, kind: str) -> bool:
    return note["repository_id"] == thing.id and note["kind"] == kind
