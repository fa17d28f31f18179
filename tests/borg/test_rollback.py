"""Which states can be restored, told from the segments of real repositories."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from hive.borg import rollback
from hive.borg.repository import objects_in_index
from hive.borg.rollback import Obstacle, ReadingProgress, State, Stopped, survey
from hive.borg.segments import Log, Tag
from tests.borg.logs import COMMIT, Local, entry, make_local, write_segment
from tests.programs import BORG_LINES

MANIFEST = bytes(32)


@pytest.fixture(scope="module", params=BORG_LINES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Local:
    return make_local(tmp_path_factory.mktemp("local"), request.param)


@pytest.fixture
def local(made: Local, tmp_path: Path) -> Local:
    """A copy for this test alone."""
    shutil.copytree(made.directory, tmp_path / "local")
    return Local(tmp_path / "local", made.version)


def state(local: Local, transaction: int, **more: object) -> State:
    found = survey(local.repository, **more).state(transaction)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_every_state_of_a_repository_that_was_never_compacted_can_be_restored(
    local: Local,
) -> None:
    found = survey(local.repository, verify_until=local.last)
    assert len(found.states) == 4  # init, and three archives
    assert all(one.can_be_restored for one in found.states)
    assert found.current is not None
    assert found.current.objects == objects_in_index(local.repository, local.last)
    assert [one.added.objects > 0 for one in found.states] == [False, True, True, True]


def test_what_was_deleted_is_counted_and_borg_finds_it_again(local: Local) -> None:
    good = local.last
    archives = local.archives()
    local.prune_to()
    found = survey(local.repository)
    assert found.current is not None
    assert found.current.transaction == local.last
    before = found.state(good)
    assert before is not None
    assert before.can_be_restored
    assert before.back.size_bytes > 600_000
    assert before.dropped.objects == 0
    deleted = sum(one.deleted.objects for one in found.states)
    assert deleted == before.back.objects == before.objects - 1  # all but the manifest
    local.go_back_to(good)
    assert local.archives() == archives
    local.run("check", "--verify-data", local.repository)


@pytest.mark.parametrize("threshold", [0, 10, 50, 60, 90])
@pytest.mark.varied(4)
def test_behind_a_compaction_nothing_older_can_be_restored(local: Local, threshold: int) -> None:
    good = local.last
    local.prune_to("three")
    deleted = local.last
    local.compact(threshold)
    compacted = local.last
    local.create("four")
    found = survey(local.repository)
    for one in found.states:
        if one.transaction < compacted:
            assert one.obstacle is not None, one
    assert found.state(good) is None or state(local, good).obstacle is Obstacle.COMPACTED
    assert found.state(deleted) is None or state(local, deleted).obstacle is Obstacle.COMPACTED
    after = found.state(compacted)
    assert after is not None
    assert after.can_be_restored
    local.go_back_to(compacted)
    assert local.archives() == ["three"]
    local.run("check", "--verify-data", local.repository)


def test_an_untouched_beginning_can_be_restored_though_newer_segments_were_compacted(
    local: Local,
) -> None:
    good = local.last
    (local.source / "random").write_bytes(b"something else")
    local.create("four")
    local.run("delete", f"{local.repository}::four")
    # of what came before, only commits and manifests can be freed: nothing up to `good` goes
    with Log(local.repository) as log:
        kept = {one.number for one in log.segments if one.number <= good}
    local.compact(99)
    with Log(local.repository) as log:
        still = {one.number for one in log.segments}
    if kept <= still:
        assert state(local, good, verify_until=good).can_be_restored
    else:
        assert state(local, good).obstacle is Obstacle.COMPACTED


def test_a_damaged_byte_in_a_segment_that_is_needed_is_an_obstacle(local: Local) -> None:
    good = local.last
    victim = max((local.repository / "data" / "0").iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    local_state = state(local, good, verify_until=good)
    assert local_state.obstacle is Obstacle.DAMAGED
    assert f"segment {victim.name}" in local_state.detail


def test_damage_behind_a_state_is_no_obstacle_to_it(local: Local) -> None:
    good = local.last
    local.create("four")
    victim = local.repository / "data" / "0" / str(good + 1)
    victim.write_bytes(victim.read_bytes()[:-1] + b"BORG_SEG and whatever")
    found = survey(local.repository, verify_until=good)
    restorable = [one.transaction for one in found.states if one.can_be_restored]
    assert restorable[-1] == good


def test_a_count_of_objects_that_was_made_in_time_shows_what_is_missing(local: Local) -> None:
    good = local.last
    true = objects_in_index(local.repository, good)
    assert true is not None
    local.prune_to("three")
    assert state(local, good, recorded={good: true}).can_be_restored
    assert state(local, good, recorded={good: true + 1}).obstacle is Obstacle.MISCOUNTED


def test_what_only_a_strange_client_writes_needs_a_count_where_numbers_are_missing(
    local: Local,
) -> None:
    local.prune_to("three")
    local.compact()
    good = local.last
    true = objects_in_index(local.repository, good)
    assert true is not None
    strange = entry(Tag.PUT, b"z" * 32, b"a compaction moves objects like this")
    write_segment(local.repository, good + 1, strange)
    write_segment(local.repository, good + 2, COMMIT)
    assert state(local, good).obstacle is Obstacle.UNPROVEN
    assert state(local, good, recorded={good: true}).can_be_restored
    assert state(local, good, recorded={good: true - 1}).obstacle is Obstacle.MISCOUNTED


def test_nothing_that_is_written_behind_a_whole_state_is_an_obstacle_to_it(local: Local) -> None:
    """Whatever an append-only key can bring borg to write, and more."""
    good = local.last
    with Log(local.repository) as log:
        keys = [
            one.key
            for segment in log.segments
            for one in log.entries(segment.number, verify=False)
            if one.tag is Tag.PUT
        ]
    write_segment(local.repository, good + 1, *(entry(Tag.PUT, key, b"mine") for key in keys))
    write_segment(local.repository, good + 2, *(entry(Tag.DELETE, key) for key in keys * 3))
    write_segment(local.repository, good + 3, COMMIT)
    write_segment(local.repository, good + 4, entry(Tag.PUT, MANIFEST, COMMIT), COMMIT)
    write_segment(local.repository, good + 5, *(COMMIT for _ in range(20_000)))
    write_segment(local.repository, good + 6, b"\0" * 100)
    found = state(local, good, verify_until=good)
    assert found.can_be_restored
    assert found.back.objects == len(set(keys)) - 1
    local.go_back_to(good)
    local.run("check", "--verify-data", local.repository)


def test_more_transactions_than_are_told_of_do_not_hide_the_one_that_is_asked_for(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollback, "MOST_STATES", 2)
    good = survey(local.repository).states[0].transaction
    first = local.last
    assert survey(local.repository).is_cut
    for number in range(3):
        write_segment(local.repository, first + 1 + number, COMMIT)
    found = survey(local.repository, verify_until=good)
    assert [one.transaction for one in found.states] == [good, first + 2, first + 3]


def test_a_repository_without_a_commit_has_no_states(local: Local) -> None:
    shutil.rmtree(local.repository / "data" / "0")
    assert survey(local.repository).states == ()


@pytest.mark.parametrize("time", [-(2**40), 2**45])
def test_times_that_no_calendar_has_are_no_trouble(local: Local, time: int) -> None:
    for path in (local.repository / "data" / "0").iterdir():
        os.utime(path, ns=(0, time * 10**6))
    assert survey(local.repository).states


def test_a_reading_says_how_far_it_is_and_stops_when_asked(local: Local) -> None:
    reading = ReadingProgress()
    survey(local.repository, reading=reading)
    assert reading.done_bytes == reading.total_bytes > 600_000
    reading.cancel()
    with pytest.raises(Stopped):
        survey(local.repository, reading=reading)
