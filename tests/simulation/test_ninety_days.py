"""Weeks of repositories, or ninety days: what is told is what a simple, independent model says."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest

from hive import background, clock
from hive.config.settings import MailSettings, Settings
from hive.kinds import AttemptOutcome, DeliveryState, Digest, EventKind, Role, Source
from hive.models import (
    Delivery,
    DeliveryAttempt,
    Event,
    Notification,
    Preference,
    Pulse,
    Repository,
    User,
)
from hive.notify.channel import Means
from hive.outgoing.client import Outgoing
from hive.services.accounts import groups
from hive.services.delivery import deliveries
from hive.services.delivery.courier import Courier
from hive.services.health import review
from hive.services.notifications import channels, preferences
from hive.services.outbox import downtimes
from hive.services.permissions import OPERATOR, Actor
from hive.services.repositories import catalogue
from tests import factories
from tests.notify.far_end import FarEnd, Received, far_end
from tests.notify.test_email import Relay, relay
from tests.simulation import model
from tests.simulation.model import STEP, Expected, Plan, Wish

pytestmark = pytest.mark.timeout(1200)

# 48 days hold the changes of the clocks in all three zones.
BEGIN = datetime(2026, 2, 20, tzinfo=UTC)
REPOSITORIES = int(os.environ.get("HIVE_SIMULATION_REPOSITORIES", "18"))
DAYS = int(os.environ.get("HIVE_SIMULATION_DAYS", "90"))
sized = pytest.mark.parametrize(
    ("days", "repositories"),
    [
        pytest.param(48, 6, id="short"),
        pytest.param(DAYS, REPOSITORIES, id="long", marks=pytest.mark.long),
    ],
)
TOLD = (EventKind.LATE, EventKind.DOWN, EventKind.STILL_DOWN, EventKind.RECOVERED)
WISHES = (
    Wish(timedelta(hours=12), timedelta(days=5)),
    Wish(timedelta(hours=48), timedelta(days=30)),
    Wish(timedelta(hours=5), timedelta(days=1)),
)


SUBJECTS = {
    "down": "a backup is missing",
    "still down": "still no backup",
    "recovered": "backups are fine again",
}


async def add(number: int, plan: Plan, owner: str, created_at: datetime) -> int:
    user = await User.get(name=owner)
    actor = Actor(user.id, user.name, role=Role.MEMBER, source=Source.SYSTEM)
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


async def begin(now: datetime, expected: Iterable[Expected]) -> None:
    """Start the server where it was not running at the step before."""
    last = await Pulse.first()
    if last is None or now - last.at <= STEP:
        await downtimes.pulse()
        return
    await downtimes.note_start()
    for one in expected:
        one.was_off(last.at, now)


async def look(chance: random.Random, *, is_killed: bool) -> None:
    """A tick of the scheduler; one that is killed is followed by that of the next server."""
    if is_killed:
        task = asyncio.ensure_future(review.review_due())
        for _ in range(chance.randrange(1, 60)):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await review.review_due()


@pytest.mark.parametrize("seed", [1])
@sized
async def test_every_day_is_told_as_a_simple_model_says(
    hive: Settings, seed: int, days: int, repositories: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test that can be repeated
    clock.use(lambda: BEGIN)
    for number, wish in enumerate(WISHES):
        user = await factories.make_user(f"owner{number}")
        await Preference.create(
            user_id=user.user_id,
            reminder_hours=wish.every // timedelta(hours=1),
            expiration_days=wish.expires.days,
        )
    steps = int(timedelta(days=days) / STEP)
    expected: dict[int, Expected] = {}
    coming: dict[int, list[int]] = {}
    for number, plan in enumerate(model.plans(chance, repositories)):
        owner = number % len(WISHES)
        made = await add(number, plan, f"owner{owner}", BEGIN)
        expected[made] = Expected(plan, WISHES[owner], BEGIN)
        for step in model.backups(chance, plan, BEGIN, days):
            coming.setdefault(step, []).append(made)
    away = model.absences(chance, steps)
    for step in range(steps):
        if step in away:
            continue
        now = BEGIN + step * STEP
        clock.use(lambda now=now: now)  # type: ignore[misc]  # a lambda with a default
        await begin(now, expected.values())
        for made in coming.get(step, ()):
            expected[made].backup(now)
            await review.note_backup(made, now)
        for one in expected.values():
            one.look(now)
        await look(chance, is_killed=step + 1 in away)
    for made, one in expected.items():
        rows = await Event.filter(repository_id=made, kind__in=TOLD).order_by("id")
        told = [(row.at, str(row.kind)) for row in rows]
        assert told == one.told, (seed, one.plan)
    assert sum(len(one.told) for one in expected.values()) > repositories


async def send(means: Means, chance: random.Random) -> None:
    """Send what is due; a courier that is killed leaves the rest to the next one."""
    tasks = await Courier(means).look()
    if tasks and chance.random() < 0.3:
        await asyncio.sleep(chance.uniform(0, 0.006))  # wherever it is by then
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        while background.tasks:  # a transaction that was under way is whole, or it is not
            await asyncio.wait(background.tasks)
        await deliveries.take_up_again()
        tasks = await Courier(means).look()
    while tasks:
        await asyncio.gather(*tasks)
        tasks = await Courier(means).look()


def wanted(one: Expected) -> list[str]:
    """What is told without any rule: not that it is late, nor the end of that alone."""
    found, is_down = [], False
    for _, kind in one.told:
        if kind in ("down", "still down"):
            found.append(kind)
            is_down = True
        elif kind == "recovered" and is_down:
            found.append(kind)
            is_down = False
    return found


async def noted_of(user: str, repository_id: int) -> list[str]:
    """What somebody is to hear of a repository, whether or not it was sent."""
    rows = Notification.filter(user__name=user, repository_id=repository_id)
    return [row.kind for row in await rows.order_by("id")]


async def sent_of(user: str, repository_id: int) -> list[str]:
    """The same, without what was over, or replaced, before it could be sent."""
    rows = Delivery.filter(notification__user__name=user, notification__repository=repository_id)
    found = await rows.order_by("id").select_related("notification")
    for row, later in zip(found, [*found[1:], None], strict=True):
        if row.state == DeliveryState.DROPPED:
            assert later is not None
            assert later.notification.kind in ("still down", "recovered")
    return [row.notification.kind for row in found if row.state in _ARRIVED]


# What is part of a bundle arrived with it: none is left over at the end.
_ARRIVED = (DeliveryState.SENT, DeliveryState.BUNDLED)


async def assert_only_what_failed_comes_later(told: dict[str, tuple[int, str]]) -> None:
    """Messages keep their order, unless one fails while its channel takes others."""
    newest = 0
    for token, (event_id, _) in told.items():
        if event_id < newest:
            assert (await Delivery.get(token=token)).attempts > 1
        newest = max(newest, event_id)


async def people_with_channels(hook: FarEnd, mail: Relay) -> Actor:
    """The owner has a webhook; a friend sees every other repository and is told by mail."""
    owner, friend = await factories.make_user("owner0"), await factories.make_user("friend")
    await groups.add_group(OPERATOR, groups.AddGroup(name="friends", members=["owner0", "friend"]))
    settings = {"url": hook.url, "method": "POST"}
    await channels.add(owner, "hook", owner="owner0", kind="webhook", settings=settings)
    address = {"address": "friend@example.org"}
    await channels.add(friend, "mail", owner="friend", kind="email", settings=address)
    for person in ("owner0", "friend"):
        await preferences.change(OPERATOR, person, digest=Digest.NONE)
    return owner


@pytest.mark.long
@sized
async def test_all_of_it_reaches_far_ends_that_come_and_go(
    hive: Settings, days: int, repositories: int
) -> None:
    chance = random.Random(7)  # noqa: S311 - a test that can be repeated
    clock.use(lambda: BEGIN)
    steps = int(timedelta(days=days) / STEP)
    taken: list[Received] = []  # what the webhook's far end said yes to
    expected: dict[int, Expected] = {}
    shared: dict[int, str] = {}
    coming: dict[int, list[int]] = {}
    async with (
        far_end() as server,
        relay() as mail,
        Outgoing(allowed_networks=["127.0.0.0/8"], timeout_seconds=5) as outgoing,
    ):
        relay_settings = MailSettings(host="127.0.0.1", port=mail.port, security="none")
        means = Means(outgoing=outgoing, mail=relay_settings)
        owner = await people_with_channels(server, mail)
        for number, plan in enumerate(model.plans(chance, repositories // 3)):
            made = await add(number, plan, "owner0", BEGIN)
            expected[made] = Expected(plan, WISHES[0], BEGIN)
            if number % 2:
                await catalogue.set_repository(owner, made, share_with=["friends"])
                shared[made] = f"repository{number}"
            for step in model.backups(chance, plan, BEGIN, days):
                coming.setdefault(step, []).append(made)
        away = model.absences(chance, steps)
        # never for three days: it is news till then
        deaf, mute = (model.absences(chance, steps, longest=40) for _ in range(2))
        for step in range(steps + 600):  # at the end there is time to tell the rest
            if step in away:
                continue
            now = BEGIN + step * STEP
            clock.use(lambda now=now: now)  # type: ignore[misc]  # a lambda with a default
            server.answers(503 if step in deaf else 200)
            mail.data = "451 come back later" if step in mute else "250 queued"
            before = len(server.received)
            if step < steps:
                await begin(now, expected.values())
                for made in coming.get(step, ()):
                    expected[made].backup(now)
                    await review.note_backup(made, now)
                for one in expected.values():
                    one.look(now)
                await look(chance, is_killed=step + 1 in away)
            await send(means, chance)
            if step not in deaf:
                taken += server.received[before:]
    outcomes = {row.outcome for row in await DeliveryAttempt.all()}
    assert outcomes == {AttemptOutcome.SENT, AttemptOutcome.PASSING, AttemptOutcome.INTERRUPTED}
    arrived = [one.json() for one in taken]
    for made, one in expected.items():
        # what comes twice is known by its name
        told = {
            str(note["id"]): (int(note["event_id"]), str(note["kind"]))
            for note in arrived
            if note["repository_id"] == made
        }
        sent = [kind for _, kind in sorted(told.values())]
        assert sent == await sent_of("owner0", made), one.plan
        await assert_only_what_failed_comes_later(told)
        assert await noted_of("owner0", made) == wanted(one), one.plan
    assert len({note["event_id"] for note in arrived}) == len({note["id"] for note in arrived})
    await assert_mails(mail, expected, shared)


def subject_of(mail: EmailMessage) -> tuple[list[str], str]:
    """Which repositories a mail is about, and what it says of them: a line of a bundle each."""
    subject = re.sub(r"^\[\w+\] ", "", str(mail["Subject"]))
    name, _, text = subject.partition(": ")
    body = mail.get_body(("plain",))
    assert body is not None
    listed = re.findall(r"^- (repository\d+)\b", body.get_content(), re.MULTILINE)
    return listed or [name], text


async def assert_mails(mail: Relay, expected: dict[int, Expected], shared: dict[int, str]) -> None:
    """The friend got what is theirs to see, and nothing else."""
    mails = {one["Message-ID"]: one for one in mail.mails}
    about = {name: made for made, name in shared.items()}
    got: dict[int, list[str]] = {made: [] for made in shared}
    for one in mails.values():
        names, text = subject_of(one)
        for name in names:
            got[about[name]].append(text)
    for made, texts in got.items():
        assert await noted_of("friend", made) == wanted(expected[made])
        kinds = [SUBJECTS[kind] for kind in await sent_of("friend", made)]
        assert len(texts) == len(kinds)
        for kind in set(kinds):
            assert sum(text.startswith(kind) for text in texts) == kinds.count(kind)
