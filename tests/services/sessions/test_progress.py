from __future__ import annotations

from collections.abc import Iterator

import pytest

from hive import signals
from hive.services.sessions.progress import LiveView
from hive.signals import Happening, SessionProgress


@pytest.fixture
def told(remembering: None) -> Iterator[list[Happening]]:
    happenings: list[Happening] = []
    unsubscribe = signals.subscribe(happenings.append)
    yield happenings
    unsubscribe()


def test_progress_is_told_with_its_rate_while_bytes_move(told: list[Happening]) -> None:
    seconds = iter([0.0, 1.0, 3.0, 4.0, 5.0])
    view = LiveView(lambda: next(seconds))
    view.update([(1, 0, 0)])
    view.update([(1, 1000, 10)])
    view.update([(1, 3000, 10), (2, 5, 5)])
    view.update([(1, 3000, 10), (2, 5, 5)])  # the rate has changed: it moves no more
    view.update([(1, 3000, 10), (2, 5, 5)])
    assert told == [
        SessionProgress(1, 0, 0, 0),
        SessionProgress(1, 1000, 10, 1010),
        SessionProgress(1, 3000, 10, 1000),
        SessionProgress(2, 5, 5, 0),
        SessionProgress(1, 3000, 10, 0),
    ]


def test_a_session_that_has_ended_is_no_longer_shown() -> None:
    view = LiveView()
    view.update([(1, 0, 0), (2, 0, 0)])
    view.update([(2, 0, 0)])
    assert [row.session_id for row in view.running] == [2]
