from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.kinds import QUOTA_STEPS, Access, EventKind
from hive.services.alarms import rules
from hive.services.alarms.rules import DISK_STEPS, Cause, Usage

MB = 10**6
BEFORE = Usage(
    size_bytes=100 * MB, live_bytes=90 * MB, reclaimable_bytes=10 * MB, transaction=8, borg_id="a"
)
GONE = Usage(size_bytes=0, is_repository=False)


def after(live: int, *, size: int = 100 * MB, transaction: int = 12) -> Usage:
    return Usage(
        size_bytes=size,
        live_bytes=live,
        reclaimable_bytes=size - live,
        transaction=transaction,
        borg_id="a",
    )


def kinds(found: list[rules.Finding]) -> list[EventKind]:
    return [finding.kind for finding in found]


def session(
    now: Usage,
    access: Access = Access.FULL,
    operation: str | None = "write",
    *,
    may_have_deleted: bool = False,
) -> list[rules.Finding]:
    cause = Cause(
        access=access, operation=operation, key_name="laptop", may_have_deleted=may_have_deleted
    )
    return rules.of_session(BEFORE, now, cause, 50)


def test_deleting_more_than_half_is_a_mass_deletion_with_its_numbers() -> None:
    (found,) = session(after(40 * MB))
    assert found.kind == EventKind.MASS_DELETION
    assert found.details["lost_bytes"] == 50 * MB
    assert found.details["lost_percent"] == 55.6
    assert session(after(50 * MB)) == []


def test_compacting_afterwards_hides_nothing() -> None:
    assert kinds(session(after(40 * MB, size=41 * MB))) == [EventKind.MASS_DELETION]
    assert session(after(90 * MB, size=90 * MB)) == []  # it alone deletes nothing


def test_any_deletion_of_an_append_only_key_is_told() -> None:
    only = Access.APPEND_ONLY
    assert kinds(session(after(90 * MB - 700), only, may_have_deleted=True)) == [
        EventKind.APPEND_ONLY_DELETION
    ]
    # More was put than deleted: that hides nothing.
    assert kinds(session(after(95 * MB), only, may_have_deleted=True)) == [
        EventKind.APPEND_ONLY_DELETION
    ]
    assert session(after(90 * MB - 50), only) == []
    assert session(after(10 * MB), Access.FULL, "rename", may_have_deleted=True) == []
    assert kinds(session(after(10 * MB), only, may_have_deleted=True)) == [
        EventKind.MASS_DELETION,
        EventKind.APPEND_ONLY_DELETION,
    ]


def test_deleting_the_repository_is_told_by_the_session_and_not_again_as_a_mass_deletion() -> None:
    assert kinds(session(GONE)) == []


def test_another_repository_in_its_place_is_told_whoever_put_it_there() -> None:
    before = Usage(size_bytes=9, borg_id="aa", encryption="repokey")
    for now, words in (
        (Usage(size_bytes=9, borg_id="bb", encryption="repokey"), "its id was aa and is bb"),
        (
            Usage(size_bytes=9, borg_id="aa", encryption="none"),
            "its encryption was repokey and is none",
        ),
    ):
        (found,) = rules.of_identity(before, now)
        assert found.kind == EventKind.REPLACED
        assert words in found.message
    for now in (
        before,
        Usage(size_bytes=9, borg_id="aa", encryption="unknown"),
        Usage(size_bytes=9),
        GONE,
    ):
        assert rules.of_identity(before, now) == []


def test_trying_things_out_is_no_alarm() -> None:
    cause = Cause(access=Access.FULL, operation=None, key_name="laptop")
    assert (
        rules.of_session(
            Usage(size_bytes=9_000, live_bytes=900),
            Usage(size_bytes=9_000, live_bytes=0),
            cause,
            50,
        )
        == []
    )


def test_of_borg_2_a_smaller_size_can_be_compaction() -> None:
    cause = Cause(access=Access.FULL, operation=None, key_name="laptop")
    assert rules.of_session(Usage(size_bytes=90 * MB), Usage(size_bytes=10 * MB), cause, 50) == []


@pytest.mark.parametrize(
    ("now", "kind", "words"),
    [
        (after(20 * MB, size=20 * MB), EventKind.SHRUNK, "shrunk by 78 %"),
        (after(90 * MB, transaction=4), EventKind.WENT_BACK, "from transaction 8 to 4"),
        (GONE, EventKind.CONTENT_GONE, "gone from the disk"),
    ],
)
def test_a_loss_that_no_session_explains_is_told(now: Usage, kind: EventKind, words: str) -> None:
    (found,) = rules.of_change(BEFORE, now, 30)
    assert found.kind == kind
    assert words in found.message


def test_what_stays_or_grows_is_no_loss() -> None:
    for now in (BEFORE, after(80 * MB), after(90 * MB, size=91 * MB), after(200 * MB)):
        assert rules.of_change(BEFORE, now, 30) == []


def test_a_step_holds_until_it_is_well_below() -> None:
    level = 0
    told = []
    for percent in (79, 80, 79, 78.1, 78, 81, 91, 89, 87, 100, 99, 97, 50):
        level = rules.level(percent, QUOTA_STEPS, level)
        told.append(level)
    assert told == [0, 80, 80, 80, 0, 80, 90, 90, 80, 100, 100, 90, 0]


@given(st.floats(0, 120), st.sampled_from((0, *DISK_STEPS)))
def test_a_level_is_a_step_that_the_share_is_near(percent: float, current: int) -> None:
    level = rules.level(percent, DISK_STEPS, current)
    assert level in (0, *DISK_STEPS)
    assert level == 0 or percent > level - 2
    assert all(percent < step for step in DISK_STEPS if step > level)


def test_a_lock_is_overdue_after_its_hours() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert not rules.is_overdue(now - timedelta(hours=24), now, 24)
    assert rules.is_overdue(now - timedelta(hours=24, seconds=1), now, 24)
    assert not rules.is_overdue(None, now, 24)
