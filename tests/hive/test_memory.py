"""Nothing that the services remember in one run reaches the next one in the same process."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from hive import clock, loop_watchdog, memory, signals
from hive.config.settings import Settings
from hive.errors import DatabaseError, Forbidden
from hive.kinds import EventKind
from hive.services import runtime
from hive.services.accounts import attempt_limits, challenges, login, mail, users
from hive.services.alarms import server_alarms
from hive.services.alarms.server_alarms import Trouble
from hive.services.clock import trust
from hive.services.gate import refusals
from hive.services.installation import presence
from hive.services.outbox import downtimes
from hive.services.permissions import OPERATOR
from hive.services.reports import tokens
from hive.services.rollback import background
from hive.services.rollback.background import RollbackJob
from hive.services.server import scheduler
from hive.services.sessions import progress
from hive.services.storage import disks, places
from hive.signals import RightsChanged

_ADDRESS = "192.0.2.7"


@dataclass
class Notes:
    lines: list[str] = field(default_factory=list)


@pytest.mark.usefixtures("remembering")
def test_there_is_one_object_of_each_class_until_the_memory_ends() -> None:
    memory.of(Notes).lines.append("first run")
    assert memory.of(Notes).lines == ["first run"]
    memory.end()
    memory.begin()
    assert memory.of(Notes).lines == []


def test_before_the_start_nothing_is_remembered() -> None:
    memory.end()
    memory.of(Notes).lines.append("lost")
    assert memory.of(Notes).lines == []


@pytest.mark.usefixtures("remembering")
def test_threads_that_ask_at_once_get_the_same_object() -> None:
    barrier = threading.Barrier(8)

    def ask(_: int) -> Notes:
        barrier.wait()
        return memory.of(Notes)

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(ask, range(8)))
    assert {id(one) for one in found} == {id(memory.of(Notes))}


async def test_nothing_of_a_run_is_left_in_the_next(settings: Settings) -> None:
    told: list[signals.Happening] = []

    async def send(message: mail.Mail) -> None:
        raise AssertionError(message)

    await runtime.start(settings)
    await users.add_user(OPERATOR, users.AddUser(name="alice", password="correct horse battery"))
    signals.subscribe(told.append)
    mail.use(send)
    await trust.start()
    await places.look_at_all()
    presence.note(1, settings.paths.repositories, "it is away")
    trouble = Trouble(EventKind.CLOCK_JUMPED, "Clock", "The clock jumped.", unknown="jumped")
    await server_alarms.report("clock", trouble)
    await server_alarms.report("clock", None)
    memory.of(server_alarms._Memory).current["clock"] = trouble
    await downtimes.announce(OPERATOR, timedelta(hours=1))
    progress.view().update([(1, 5, 6)])
    disks.note_asked({settings.paths.repositories: 10**9})
    background._jobs()[1] = RollbackJob(is_rollback=True, state="read")
    memory.of(scheduler._Memory).current = scheduler.Scheduler()
    challenge = challenges.new("login")
    memory.of(loop_watchdog._Memory).stalls = loop_watchdog.Stalls(count=3)
    for _ in range(tokens.GUESSES_PER_MINUTE):
        assert await tokens.admit("wrong", _ADDRESS) is None
    with pytest.raises(Forbidden):
        await tokens.admit("wrong", _ADDRESS)
    for _ in range(5):
        attempt_limits.limits().passwords.attempt("alice", _ADDRESS)
    await refusals._count(1)
    await login.begin("alice", "wrong", login.Visitor(_ADDRESS, "browser"))
    remembered = memory._memory
    assert remembered is not None
    assert len(remembered._kept) > 12
    await runtime.stop()

    await runtime.start(settings)
    try:
        assert loop_watchdog.stalls() == loop_watchdog.Stalls()
        told.clear()
        signals.tell(RightsChanged("a key"))
        assert told == []
        assert not mail.is_configured()
        assert trust._server() is None
        assert places.known(1) is None
        assert presence.away() == set()
        assert server_alarms.outages() == []
        assert server_alarms.unknown(1) == ""
        assert downtimes.shown() is None
        assert progress.view().running == []
        assert disks.asked_bytes(settings.paths.repositories) == 0
        assert background.take(1) is None
        assert scheduler.tick_age() is None
        assert not challenges.is_good(challenge, "login")
        assert await tokens.admit("wrong", _ADDRESS) is None
        assert attempt_limits.limits().passwords.number("alice") == 0
        assert memory.of(refusals._Memory).lately == {}
        now = memory._memory
        assert now is not None
        assert set(map(id, now._kept.values())).isdisjoint(map(id, remembered._kept.values()))
    finally:
        await runtime.stop()
    with pytest.raises(RuntimeError, match="start was not called"):
        runtime.settings()


async def test_a_start_that_fails_leaves_nothing_behind(settings: Settings) -> None:
    await runtime.start(settings)
    await runtime.stop()
    settings.paths.database.write_bytes(b"this is no database at all" * 500)
    with pytest.raises(DatabaseError):
        await runtime.start(settings)
    assert memory._memory is None


async def test_services_that_start_know_what_was_stored(settings: Settings) -> None:
    """Only what is in memory goes: a command reads the server's troubles from the database."""
    clock.use(lambda: datetime(2026, 11, 30, tzinfo=UTC))
    await runtime.start(settings)
    await server_alarms.report("clock", Trouble(EventKind.CLOCK_JUMPED, "Clock", "It jumped."))
    await runtime.stop()
    await runtime.start(settings)
    assert server_alarms.outages() == []
    await server_alarms.recall()
    assert server_alarms.outages() == ["It jumped."]
    await runtime.stop()
