"""How a session is, or ended: the same in the database and in Python."""

from __future__ import annotations

from itertools import product

import pytest

from hive import clock
from hive.kinds import Access, EndReason, Mode, Need
from hive.models import Session
from hive.services.sessions import record
from hive.services.sessions.filters import SessionState, in_state, state_of
from tests import factories
from tests.factories import People

REASONS = (None, *EndReason)
STATUSES = (None, 0, 1, 2, 100, 255, -9)


async def test_every_session_is_in_the_state_by_which_it_is_found(people: People) -> None:
    """A reason or an exit status that is not known is no number: SQL compares it to nothing."""
    key = await factories.make_key(people.alice)
    repository = await factories.make_repository(people.alice)
    now = clock.now()
    for ended_at, reason, status in product((None, now), REASONS, STATUSES):
        await Session.create(
            repository_id=repository.id,
            login=repository.login,
            key_id=key.id,
            key_fingerprint=key.fingerprint,
            key_name=key.name,
            peer="192.0.2.7",
            command="borg serve",
            node="here",
            need=Need.BORG,
            mode=Mode.BORG,
            access=Access.FULL,
            started_at=now,
            ended_at=ended_at,
            end_reason=reason,
            exit_status=status,
        )
    infos = {
        row.id: record.info_of(row) for row in await Session.all().select_related("repository")
    }
    assert len(infos) == 2 * len(REASONS) * len(STATUSES)
    for state in (SessionState.LIVE, SessionState.WELL, SessionState.BADLY):
        found = {row.id for row in await Session.filter(in_state(state))}
        assert found == {one.id for one in infos.values() if one.state == state}, state
    ended = {row.id for row in await Session.filter(in_state(SessionState.ENDED))}
    assert ended == {one.id for one in infos.values() if one.state != SessionState.LIVE}


@pytest.mark.parametrize(
    ("reason", "status", "expected"),
    [
        (EndReason.DONE, 0, SessionState.WELL),
        (EndReason.DONE, None, SessionState.WELL),  # the client left before the child ended
        (EndReason.DONE, 1, SessionState.BADLY),
        (EndReason.DONE, -9, SessionState.BADLY),
        (EndReason.KILLED, 0, SessionState.BADLY),
        (None, 0, SessionState.BADLY),
    ],
)
def test_well_means_done_and_no_exit_status_that_says_otherwise(
    reason: EndReason | None, status: int | None, expected: SessionState
) -> None:
    assert state_of(clock.now(), reason, status) == expected
