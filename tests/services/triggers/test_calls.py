"""Webhooks and commands."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from hive.errors import Conflict, Forbidden, InvalidInput
from hive.kinds import EventKind, TriggerKind, TriggerState
from hive.services import runtime, triggers
from hive.services.permissions import Actor
from hive.services.repositories.infos import RepositoryInfo
from hive.services.triggers import AddTrigger, ChangeTrigger, TriggerRunInfo
from tests.another_process import started
from tests.e2e.gate.harness import until
from tests.factories import People
from tests.services.triggers.awx import serve
from tests.services.triggers.conftest import tick, told


async def call(
    actor: Actor, repository: RepositoryInfo, kind: TriggerKind, **settings: str
) -> TriggerRunInfo:
    named = {name.replace("header_", "header."): value for name, value in settings.items()}
    trigger = await triggers.add_trigger(
        actor, repository.id, triggers.AddTrigger(name="call", kind=kind, settings=named)
    )
    run = await triggers.start_now(actor, trigger.id)
    await tick()
    return await triggers.get_run(actor, run.id)


async def command(people: People, repository: RepositoryInfo, name: str) -> TriggerRunInfo:
    return await call(people.admin, repository, TriggerKind.COMMAND, command=name)


async def ended(marks: Path) -> None:
    """Wait for the end of the process whose number a command left: it was killed already."""
    status = Path(f"/proc/{(marks / 'pid').read_text().strip()}/stat")

    async def is_gone() -> bool:
        try:
            return status.read_text().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    await until(is_gone, seconds=5)


async def test_a_webhook_sends_what_it_was_told(people: People, documents: RepositoryInfo) -> None:
    seen: list[tuple[str, str, str | None, str]] = []

    async def take(request: web.Request) -> web.Response:
        body = await request.text()
        seen.append((request.method, request.path_qs, request.headers.get("Token"), body))
        return web.Response(status=202, text="queued for hidden-path")

    async with serve(web.route("*", "/hook/{secret}", take)) as url:
        run = await call(
            people.alice,
            documents,
            TriggerKind.WEBHOOK,
            url=f"{url}/hook/hidden-path?key=k3yk3y",
            method="put",
            body='{"wake": "{login}"}',
            header_Token="t0k3n",
        )
    assert seen == [
        ("PUT", "/hook/hidden-path?key=k3yk3y", "t0k3n", f'{{"wake": "{documents.login}"}}')
    ]
    assert run.state == TriggerState.SUCCEEDED
    assert run.message == "The answer was 202: queued for ••••"
    (info,) = await triggers.list_triggers(people.bob)
    assert set(info.settings.values()) == {f"{url}/••••", "put", "••••"}


@pytest.mark.parametrize("status", [301, 404, 500])
async def test_only_2xx_is_success(people: People, documents: RepositoryInfo, status: int) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status)

    async with serve(web.post("/", answer)) as url:
        run = await call(people.alice, documents, TriggerKind.WEBHOOK, url=url)
    assert run.state == TriggerState.FAILED
    assert f"{status}" in run.message


async def test_a_webhook_that_hangs_is_given_up_and_one_that_is_not_there_is_named(
    people: People, documents: RepositoryInfo
) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(1.5)
        return web.Response()

    async with serve(web.post("/", hang)) as url:
        run = await call(people.alice, documents, TriggerKind.WEBHOOK, url=url, seconds="1")
    assert "did not answer within 1 seconds" in run.message
    (trigger,) = await triggers.list_triggers(people.alice)
    again = await triggers.start_now(people.alice, trigger.id)
    await tick()
    assert "cannot be reached" in (await triggers.get_run(people.alice, again.id)).message


async def test_a_command_knows_its_repository_and_nothing_of_the_server(
    people: People, documents: RepositoryInfo, marks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIVE_DATABASE__URL", "postgres://secret")
    run = await command(people, documents, "env")
    assert (run.state, run.message) == (TriggerState.SUCCEEDED, "woken")
    lines = (marks / "env").read_text().splitlines()
    seen = dict(line.split("=", 1) for line in lines)
    assert seen["HIVE_REPOSITORY"] == "documents"
    assert seen["HIVE_LOGIN"] == documents.login
    assert seen["HIVE_URL"] == documents.url
    made_by_the_shell = {"PWD", "SHLVL", "_", "OLDPWD"}
    known = {"HIVE_REPOSITORY", "HIVE_LOGIN", "HIVE_URL", "PATH", "LANG", "BORG_HOST_ID"}
    assert set(seen) - made_by_the_shell == known


async def test_how_a_command_failed_is_told_with_its_last_words(
    people: People, documents: RepositoryInfo
) -> None:
    run = await command(people, documents, "fail")
    assert (run.state, run.message) == (TriggerState.FAILED, "no such host\nexit status 3")
    assert await told(EventKind.TRIGGER_FAILED) == [
        "Trigger call failed: no such host\nexit status 3"
    ]


async def test_of_a_loud_command_the_end_is_kept(people: People, documents: RepositoryInfo) -> None:
    run = await command(people, documents, "loud")
    assert run.state == TriggerState.SUCCEEDED
    assert run.message.endswith("x\nthe end")
    assert len(run.message) <= 4000


async def test_a_command_that_hangs_is_ended_with_all_its_processes(
    people: People, documents: RepositoryInfo, marks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hive.services.triggers.command._TO_END", 0.2)
    run = await command(people, documents, "hang")
    assert run.state == TriggerState.FAILED
    assert run.message == "The command was stopped after 1 seconds."
    await ended(marks)


async def test_what_a_command_leaves_behind_is_ended_with_it(
    people: People, documents: RepositoryInfo, marks: Path
) -> None:
    run = await command(people, documents, "leave")
    assert run.state == TriggerState.SUCCEEDED
    await ended(marks)


async def test_a_server_that_stops_takes_its_commands_with_it(
    people: People, documents: RepositoryInfo, marks: Path
) -> None:
    trigger = await triggers.add_trigger(
        people.admin,
        documents.id,
        triggers.AddTrigger(name="call", kind=TriggerKind.COMMAND, settings={"command": "hang"}),
    )
    run = await triggers.start_now(people.admin, trigger.id)
    await triggers.run_due()

    async def has_begun() -> bool:
        return (marks / "pid").exists() and (marks / "pid").read_text() != ""

    await until(has_begun)
    await triggers.stop()
    await ended(marks)
    after = await triggers.get_run(people.admin, run.id)
    assert after.state == TriggerState.FAILED
    assert "The server ended" in after.message


async def test_a_command_that_is_not_there_any_more_is_named(
    people: People, documents: RepositoryInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = await command(people, documents, "gone")
    assert "/nonexistent/program" in gone.message
    settings = runtime.settings()
    emptied = settings.triggers.model_copy(update={"commands": {}})
    changed = settings.model_copy(update={"triggers": emptied})
    monkeypatch.setattr(started(), "settings", changed)
    (trigger,) = await triggers.list_triggers(people.admin)
    run = await triggers.start_now(people.admin, trigger.id)
    await tick()
    assert (
        "no longer has the command 'gone'" in (await triggers.get_run(people.admin, run.id)).message
    )


async def test_only_an_administrator_attaches_a_command_and_only_one_that_is_configured(
    people: People, documents: RepositoryInfo
) -> None:
    def command(name: str, called: str) -> AddTrigger:
        return AddTrigger(name=name, kind=TriggerKind.COMMAND, settings={"command": called})

    add = triggers.add_trigger
    with pytest.raises(Forbidden, match="administrator"):
        await add(people.alice, documents.id, command("mine", "env"))
    for name in ("rm", "/bin/sh", "env; id"):
        with pytest.raises(InvalidInput, match="names no command"):
            await add(people.admin, documents.id, command("other", name))
    made = await add(people.admin, documents.id, command("wake", "env"))
    with pytest.raises(Forbidden, match="administrator"):
        await triggers.change_trigger(
            people.alice, made.id, ChangeTrigger(settings={"command": "fail"})
        )
    changed = await triggers.change_trigger(people.alice, made.id, ChangeTrigger(cron="0 3 * * *"))
    assert changed.cron == "0 3 * * *"
    assert (await triggers.start_now(people.alice, made.id)).asked_by == "alice"
    with pytest.raises(Conflict, match="still running"):
        await triggers.start_now(people.alice, made.id)
