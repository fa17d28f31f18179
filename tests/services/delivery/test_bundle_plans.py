"""Which messages become one, which wait, and for how long: from numbers alone."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from hive.kinds import Severity
from hive.services.delivery.bundle_plans import (
    FEW,
    HOUR,
    KIND,
    LIMIT,
    SPAN,
    Past,
    Plan,
    Ready,
    plan,
)

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ALICE, BOB = 1, 2
WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL


def ready(
    count: int,
    *,
    kind: str = "down",
    severity: Severity = WARNING,
    user: int = ALICE,
    age: timedelta = timedelta(0),
    held: str = "",
    first: int = 1,
) -> list[Ready]:
    return [
        Ready(number, user, kind, severity, NOW - age, held)
        for number in range(first, first + count)
    ]


def past(
    count: int, *, ago: timedelta, kind: str = "down", severity: Severity = WARNING
) -> list[Past]:
    return [Past(ALICE, kind, severity, NOW - ago) for _ in range(count)]


def decide(
    rows: list[Ready],
    before: list[Past] | None = None,
    held: dict[tuple[int, str], datetime] | None = None,
    limit: int = 100,
) -> Plan:
    return plan(rows, before or [], held or {}, NOW, limit)


@pytest.mark.parametrize(("count", "is_bundle"), [(1, False), (3, False), (4, True), (90, True)])
def test_more_than_three_of_a_kind_at_once_are_one(count: int, is_bundle: bool) -> None:
    found = decide(ready(count))
    assert found.bundles == ([list(range(1, count + 1))] if is_bundle else [])
    assert not found.held


def test_kinds_and_people_are_apart() -> None:
    rows = ready(3) + ready(3, kind="late", first=10) + ready(3, user=BOB, first=20)
    assert decide(rows) == Plan()


def test_what_comes_after_three_waits_until_two_minutes_are_over_and_then_goes() -> None:
    before = past(3, ago=timedelta(seconds=30))
    fresh = decide(ready(1, age=timedelta(seconds=10)), before)
    assert fresh.held == {1: (NOW + SPAN - timedelta(seconds=10), KIND)}
    assert decide(ready(2, age=SPAN, held=KIND), before).bundles == [[1, 2]]
    assert decide(ready(1, age=SPAN, held=KIND), before) == Plan()
    assert decide(ready(1), past(3, ago=SPAN)) == Plan()


def test_who_comes_late_waits_with_those_that_wait() -> None:
    until = NOW + timedelta(seconds=40)
    found = decide(ready(1), held={(ALICE, "down"): until})
    assert found.held == {1: (until, KIND)}


def test_a_bundle_was_many() -> None:
    before = [Past(ALICE, "down", WARNING, NOW - timedelta(seconds=5), is_bundle=True)]
    assert set(decide(ready(1), before).held) == {1}


def test_above_the_limit_only_what_is_critical_is_sent() -> None:
    before = past(3, ago=timedelta(minutes=20), kind="other")
    rows = ready(2, kind="stale lock") + ready(1, severity=CRITICAL, first=10)
    found = decide(rows, before, limit=4)
    assert found.held == {2: (NOW - timedelta(minutes=20) + HOUR, LIMIT)}
    assert decide(ready(1), past(9, ago=SPAN, severity=CRITICAL), limit=4) == Plan()


def test_what_was_held_back_is_one_message_whatever_it_is_about() -> None:
    rows = ready(2, held=LIMIT) + ready(2, kind="late", held=LIMIT, first=10)
    assert decide(rows).bundles == [[1, 2, 10, 11]]


def test_nothing_overtakes_what_is_held_back() -> None:
    until = NOW + timedelta(minutes=10)
    found = decide(ready(1), held={(ALICE, LIMIT): until})
    assert found.held == {1: (until, LIMIT)}


@pytest.mark.parametrize("seed", range(200))
def test_each_message_is_sent_once_and_soon(seed: int) -> None:
    """Whatever comes when: nothing twice, nothing lost, nothing critical later than two minutes."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    limit, now, number = chance.choice([2, 3, 8]), NOW, 0
    waiting: dict[int, tuple[Ready, datetime]] = {}
    sent: dict[int, datetime] = {}
    begun: dict[int, Ready] = {}
    log: list[Past] = []
    for _ in range(400):
        now += timedelta(seconds=chance.choice([1, 5, 20, 90]))
        for _ in range(chance.choice([0, 0, 0, 1, 1, 2, 6]) if len(begun) < 150 else 0):
            number += 1
            severity = chance.choice([WARNING, CRITICAL])
            row = Ready(number, ALICE, f"{severity}-{chance.randrange(2)}", severity, now)
            waiting[number] = row, now
            begun[number] = row
        due = [row for row, at in waiting.values() if at <= now]
        held: dict[tuple[int, str], datetime] = {}
        for row, at in waiting.values():
            if row.held and at > now:
                key = ALICE, LIMIT if row.held == LIMIT else row.kind
                held[key] = max(at, held.get(key, at))
        lately = [one for one in log if one.sent_at > now - HOUR]
        found = plan(due, lately, held, now, limit)
        bundled = [one for ids in found.bundles for one in ids]
        assert len(bundled) == len(set(bundled))
        assert not set(bundled) & set(found.held)
        for one, (until, why) in found.held.items():
            assert until > now
            row = waiting[one][0]
            waiting[one] = Ready(row.id, ALICE, row.kind, row.severity, row.created_at, why), until
        units = [*found.bundles]
        units += [[row.id] for row in due if row.id not in found.held and row.id not in bundled]
        for ids in units:
            rows = [waiting.pop(one)[0] for one in ids]
            worst = CRITICAL if any(row.severity == CRITICAL for row in rows) else WARNING
            kinds = {row.kind for row in rows}
            log.append(Past(ALICE, min(kinds), worst, now, is_bundle=len(ids) > 1))
            for one in ids:
                assert one not in sent
                sent[one] = now
        hour = [one for one in log if one.sent_at > now - HOUR and one.severity != CRITICAL]
        assert len(hour) <= limit
    assert not [row for row, _ in waiting.values() if row.severity == CRITICAL]
    for one, at in sent.items():
        if begun[one].severity == CRITICAL:
            assert at - begun[one].created_at <= SPAN + timedelta(seconds=90)
    for kind in {one.kind for one in log if one.severity == CRITICAL}:
        times = [one.sent_at for one in log if one.kind == kind]
        for at in times:
            assert sum(at <= other < at + SPAN for other in times) <= FEW + 1
