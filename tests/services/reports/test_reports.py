"""How reports become runs, and what is told of them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import timedelta

import pytest

from hive import clock
from hive.errors import Conflict, Forbidden, NotFound
from hive.kinds import Access, ArchiveCreated, EndReason, EventKind, Operation, RunState, RunVerdict
from hive.models import PingToken, Run, Session
from hive.services import events
from hive.services.keys import grants
from hive.services.permissions import OPERATOR
from hive.services.reports import logs, reports, tokens
from hive.services.reports import verdicts as run_rules
from hive.services.reports.reports import Report, ReportKind, RunInfo
from hive.services.reports.tokens import Admitted
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from tests import factories
from tests.factories import People
from tests.services.triggers.conftest import Time

START, LOG, FINISH, FAIL = ReportKind
CLAIM = 'Creating archive at "hive:documents::one"\n'


@pytest.fixture
def time() -> Iterator[Time]:
    yield Time()
    clock.use(None)


@pytest.fixture
async def documents(people: People, time: Time) -> RepositoryInfo:
    return await factories.make_repository(people.alice, share_with="team")


@pytest.fixture
async def token(people: People, documents: RepositoryInfo) -> Admitted:
    made = await tokens.add_token(people.alice, documents.id, "laptop")
    admitted = await tokens.admit(made.token, "192.0.2.7")
    assert admitted is not None
    return admitted


async def report(
    token: Admitted,
    kind: ReportKind,
    text: str = "",
    *,
    rid: str | None = None,
    status: int | None = None,
) -> int:
    size = len(text.encode())
    given = Report(
        kind=kind,
        peer="192.0.2.7",
        text=text,
        exit_status=status,
        rid=rid,
        user_agent="borgmatic",
        size_bytes=size,
    )
    return await reports.receive(token, given)


async def session(
    repository: RepositoryInfo,
    people: People,
    archive: ArchiveCreated | None = ArchiveCreated.YES,
    *,
    ended: bool = True,
) -> int:
    key = await factories.make_key(people.alice, secrets.token_hex(4))
    await grants.change_access(
        people.alice, repository.id, grants.ChangeAccess(accesses={key.fingerprint: Access.FULL})
    )
    admission = await factories.open_session(repository, key)
    if ended:
        await Session.filter(id=admission.session_id).update(
            ended_at=clock.now(),
            end_reason=EndReason.DONE,
            operation=Operation.CREATE if archive != ArchiveCreated.NO else Operation.CHECK,
            archive_created=archive,
        )
    return admission.session_id


async def judged(time: Time, **span: float) -> list[RunInfo]:
    time.pass_by(**(span or {"minutes": 3}))
    await reports.judge_due()
    return (await reports.list_runs(OPERATOR))[::-1]


async def told() -> list[tuple[EventKind, str]]:
    kinds = (EventKind.CLIENT_FAILED, EventKind.CLIENT_UNPROVEN, EventKind.CLIENT_CONTRADICTED)
    return [(e.kind, e.message) for e in await events.recent(OPERATOR) if e.kind in kinds]


async def test_start_log_and_finish_are_one_run_and_the_longer_text_is_kept(
    people: People, documents: RepositoryInfo, token: Admitted, time: Time
) -> None:
    first = await report(token, START)
    time.pass_by(minutes=10)
    made = await session(documents, people)
    assert await report(token, LOG, CLAIM + "Pinging log") == first
    assert await report(token, FINISH, CLAIM) == first
    (run,) = await judged(time)
    assert (run.state, run.verdict) == (RunState.SUCCEEDED, RunVerdict.AGREES)
    assert run.notes.session_ids == (made,)
    assert (run.ended_at or time.now) - (run.started_at or time.now) == timedelta(minutes=10)
    assert (await reports.get_run(people.bob, first)).log == CLAIM + "Pinging log"
    assert await told() == []


async def test_a_log_before_the_end_without_a_start_is_of_the_same_run(
    people: People, documents: RepositoryInfo, token: Admitted, time: Time
) -> None:
    assert await report(token, LOG, CLAIM) == await report(token, FINISH, CLAIM)
    (run,) = await judged(time)
    assert run.verdict == RunVerdict.NOTHING_WRITTEN


async def test_parallel_runs_are_paired_by_rid_others_with_the_newest(token: Admitted) -> None:
    first = await report(token, START, rid="aaaa")
    second = await report(token, START, rid="bbbb")
    third = await report(token, START)
    fourth = await report(token, START)
    assert len({first, second, third, fourth}) == 4
    assert await report(token, START, rid="aaaa") == first
    assert await report(token, FINISH, rid="aaaa") == first
    assert await report(token, FAIL) == fourth
    assert await report(token, FINISH) == third
    assert await report(token, FINISH, rid="bbbb") == second
    assert await report(token, FINISH, rid="cccc") not in {first, second, third, fourth}


async def test_a_failure_is_told_with_its_last_lines(
    documents: RepositoryInfo, token: Admitted, time: Time
) -> None:
    await report(token, START)
    log = "".join(f"line {number}\n" for number in range(100)) + "Repository X does not exist.\n"
    await report(token, FAIL, log, status=2)
    (run,) = await judged(time)
    assert (run.state, run.exit_status, run.verdict) == (RunState.FAILED, 2, RunVerdict.AGREES)
    ((kind, message),) = await told()
    assert kind == EventKind.CLIENT_FAILED
    assert message.startswith("The client reported a failure (exit status 2).\nline 89\n")
    assert message.endswith("Repository X does not exist.")


async def test_a_failure_with_an_archive_and_a_success_without_are_contradicted(
    people: People, documents: RepositoryInfo, token: Admitted, time: Time
) -> None:
    await report(token, START)
    await session(documents, people)
    await report(token, FAIL, CLAIM, status=1)
    await judged(time)
    time.pass_by(hours=1)
    await report(token, START)
    await session(documents, people, ArchiveCreated.NO)
    await report(token, FINISH, CLAIM)
    await judged(time)
    assert [kind for kind, _ in await told()] == [
        EventKind.CLIENT_UNPROVEN,
        EventKind.CLIENT_CONTRADICTED,
    ]


async def test_pruning_or_checking_alone_is_no_missing_backup(
    people: People, documents: RepositoryInfo, token: Admitted, time: Time
) -> None:
    for text in ("Pruning archives\n", "Archive consistency check complete\n", ""):
        await report(token, START)
        await session(documents, people, ArchiveCreated.NO)
        await report(token, FINISH, text)
        (*_, run) = await judged(time)
        assert run.verdict == RunVerdict.UNKNOWN
        time.pass_by(hours=1)
    assert await told() == []


async def test_the_archive_of_the_run_before_proves_nothing(
    people: People, documents: RepositoryInfo, token: Admitted, time: Time
) -> None:
    await session(documents, people)
    await report(token, FINISH, CLAIM)
    time.pass_by(hours=1)
    await report(token, FINISH, CLAIM)
    verdicts = [run.verdict for run in await judged(time)]
    assert verdicts == [RunVerdict.AGREES, RunVerdict.NOTHING_WRITTEN]


async def test_a_failure_is_not_contradicted_by_the_try_that_follows_it_at_once(
    people: People, documents: RepositoryInfo, token: Admitted, time: Time
) -> None:
    await report(token, START)
    time.pass_by(seconds=5)
    await report(token, FAIL, status=2)
    time.pass_by(seconds=5)
    await report(token, START)
    await session(documents, people)
    time.pass_by(seconds=5)
    await report(token, FINISH)
    found = await judged(time)
    assert [run.verdict for run in found] == [RunVerdict.AGREES] * 2
    assert [kind for kind, _ in await told()] == [EventKind.CLIENT_FAILED]


async def test_a_session_that_still_runs_is_waited_for(
    people: People, documents: RepositoryInfo, token: Admitted, time: Time
) -> None:
    made = await session(documents, people, ended=False)
    await report(token, FINISH, CLAIM)
    (run,) = await judged(time)
    assert not run.is_judged
    await Session.filter(id=made).update(
        ended_at=time.now, operation=Operation.CREATE, archive_created=ArchiveCreated.YES
    )
    (run,) = await judged(time, minutes=6)
    assert (run.is_judged, run.verdict) == (True, RunVerdict.AGREES)


async def test_what_never_ends_is_closed_as_unknown(token: Admitted, time: Time) -> None:
    first = await report(token, START)
    (run,) = await judged(time, hours=23)
    assert run.state == RunState.RUNNING
    (run,) = await judged(time, hours=2)
    assert (run.state, run.verdict) == (RunState.UNFINISHED, RunVerdict.UNKNOWN)
    assert run.is_judged
    assert await report(token, FINISH) != first
    assert await told() == []


async def test_a_report_alone_makes_no_backup(
    people: People, documents: RepositoryInfo, token: Admitted, time: Time
) -> None:
    await report(token, FINISH, CLAIM)
    await judged(time)
    found = await catalogue.find_repository(people.alice, "documents")
    assert found.last_backup_at is None


async def test_logs_go_after_their_time_and_runs_stay(token: Admitted, time: Time) -> None:
    run = await report(token, FINISH, CLAIM)
    time.pass_by(days=89)
    assert await logs.forget_old() == 0
    time.pass_by(days=2)
    assert await logs.forget_old() == 1
    assert (await reports.get_run(OPERATOR, run)).log == ""


async def test_tokens_are_kept_as_hashes_and_seen_once(
    people: People, documents: RepositoryInfo
) -> None:
    new = await tokens.add_token(people.bob, documents.id, "nas")
    assert new.url.endswith(f"/ping/{new.token}")
    assert len(new.token) >= 32
    row = await PingToken.get(id=new.info.id)
    assert new.token not in str(vars(row))
    (info,) = await tokens.list_tokens(people.alice, documents.id)
    assert new.token not in str(info)
    with pytest.raises(Conflict):
        await tokens.add_token(people.bob, documents.id, "nas")


async def test_a_revoked_token_reports_no_more_and_what_it_said_stays(
    people: People, documents: RepositoryInfo, time: Time
) -> None:
    new = await tokens.add_token(people.alice, documents.id, "nas")
    admitted = await tokens.admit(new.token, "192.0.2.7")
    assert admitted is not None
    await report(admitted, FINISH)
    assert (await tokens.list_tokens(people.alice, documents.id))[0].last_used_at == time.now
    await tokens.delete_token(people.alice, documents.id, "nas")
    assert await tokens.admit(new.token, "192.0.2.7") is None
    (run,) = await reports.list_runs(people.alice)
    assert run.token is None


async def test_tokens_of_a_deleted_repository_report_nothing(
    people: People, documents: RepositoryInfo
) -> None:
    new = await tokens.add_token(people.alice, documents.id, "nas")
    await catalogue.mark_deleted(people.alice, documents.id)
    assert await tokens.admit(new.token, "192.0.2.7") is None


async def test_others_see_neither_tokens_nor_runs(
    people: People, documents: RepositoryInfo, token: Admitted
) -> None:
    run = await report(token, FINISH, CLAIM)
    assert await reports.list_runs(people.charlie) == []
    for ask in (
        reports.get_run(people.charlie, run),
        tokens.add_token(people.charlie, documents.id, "x"),
        tokens.list_tokens(people.charlie, documents.id),
        tokens.delete_token(people.charlie, documents.id, "laptop"),
    ):
        with pytest.raises(NotFound):
            await ask


async def test_too_many_reports_and_guesses_are_refused(
    people: People, documents: RepositoryInfo, time: Time
) -> None:
    new = await tokens.add_token(people.alice, documents.id, "nas")
    for _ in range(tokens.GUESSES_PER_MINUTE):
        assert await tokens.admit("x" * 43, "198.51.100.1") is None
    with pytest.raises(Forbidden):
        await tokens.admit("x" * 43, "198.51.100.1")
    # guesses from an address do not keep from reporting who is there with a token
    for _ in range(tokens.REPORTS_PER_MINUTE):
        assert await tokens.admit(new.token, "198.51.100.1") is not None
    with pytest.raises(Forbidden):
        await tokens.admit(new.token, "198.51.100.1")
    time.pass_by(minutes=2)
    assert await tokens.admit(new.token, "198.51.100.1") is not None


async def test_one_run_that_cannot_be_judged_does_not_stop_the_others(
    documents: RepositoryInfo, token: Admitted, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = await report(token, FINISH, CLAIM)
    await report(token, FINISH, CLAIM)
    judge = run_rules.claim

    def fail_once(log: str, **given: str) -> run_rules.Claim:
        if log == "broken":
            raise NotFound("This one is broken.")
        return judge(log, **given)

    await Run.filter(id=broken).update(log="broken")
    monkeypatch.setattr(run_rules, "claim", fail_once)
    found = await judged(time)
    assert [run.is_judged for run in found] == [False, True]


async def test_a_token_is_found_and_revoked_by_its_id_whatever_others_are_called(
    people: People, documents: RepositoryInfo
) -> None:
    first = (await tokens.add_token(people.alice, documents.id, "nas")).info
    await tokens.add_token(people.alice, documents.id, str(first.id))
    assert (await tokens.get_token(people.bob, first.id)).name == "nas"
    for ask in (tokens.get_token, tokens.delete_token_by_id):
        for actor, number in ((people.charlie, first.id), (people.alice, 9999)):
            with pytest.raises(NotFound, match="no such ping token"):
                await ask(actor, number)
    await tokens.delete_token_by_id(people.alice, first.id)
    (left,) = await tokens.list_tokens(people.alice, documents.id)
    assert left.name == str(first.id)
