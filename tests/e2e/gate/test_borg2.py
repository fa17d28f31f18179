"""Backups with borg 2, which speaks HTTP over ssh and names its repository in the command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hive.errors import Conflict
from hive.kinds import Access, EndReason, EventKind, UpkeepKind
from hive.services import events
from hive.services.keys import grants
from hive.services.measurements import statistics
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue, quotas
from hive.services.repositories.infos import RepositoryInfo
from hive.services.sessions import infos as session_infos
from hive.services.storage import paths
from hive.services.upkeep import queue, worker
from hive.services.upkeep.worker import UpkeepWorker
from tests.e2e.gate.files import fingerprint, make_files, noise, same_tree
from tests.e2e.gate.harness import Client, Done, House, open_house, until
from tests.programs import borg_command


@pytest_asyncio.fixture
async def house2(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path, **{"borg.borg2_command": borg_command("2")}) as opened:
        yield opened


async def with_repository(house: House) -> tuple[Client, RepositoryInfo]:
    client = house.client()
    await house.user()
    await house.key(client, "laptop")
    return client, await house.repository("laptop", {"laptop": Access.FULL})


async def borg2(client: Client, url: str, *arguments: str, cwd: Path | None = None) -> Done:
    return await client.borg("-r", url, *arguments, version="2", cwd=cwd)


def rest(url: str, path: str = "/./laptop") -> str:
    """The URL for borg 2, with a path as somebody may type it."""
    return url.replace("ssh://", "rest://", 1).replace("/./laptop", path)


async def with_backup(house: House, tmp_path: Path) -> tuple[Client, RepositoryInfo, str]:
    client, info = await with_repository(house)
    url = rest(info.url)
    source = make_files(tmp_path / "source")
    (await borg2(client, url, "repo-create", "-e", "aes256-ocb")).must()
    (await borg2(client, url, "create", "one", ".", cwd=source)).must()
    return client, info, url


async def change_access(info: RepositoryInfo, access: Access) -> None:
    await grants.change_access(OPERATOR, info.id, grants.ChangeAccess(accesses={"laptop": access}))


def archives(info: RepositoryInfo) -> set[str]:
    return {entry.name for entry in (info.path / "archives").iterdir()}


@pytest.mark.long
async def test_a_directory_is_backed_up_and_restored_with_borg_2(
    house2: House, tmp_path: Path
) -> None:
    client, info, url = await with_backup(house2, tmp_path)
    assert len(archives(info)) == 1
    created = await house2.last_session()
    assert (created.operation, created.archive_created) == ("create", "yes")
    found = await catalogue.find_repository(OPERATOR, "laptop")
    assert found.last_backup_at == created.ended_at
    assert found.url == url  # borg 1 has another for it
    assert [event.kind for event in await events.recent(OPERATOR)].count(EventKind.CREATED) == 1
    target = tmp_path / "target"
    target.mkdir()
    of_another_server = rest(info.url, f"//srv/my backups/{info.login}/laptop")
    for typed, arguments, operation in (
        (rest(info.url, "/~/laptop"), ["extract", "one"], "read"),
        (of_another_server, ["check"], "check"),
        (url, ["delete", "one"], "delete"),
        (url, ["compact"], "compact"),
        (url, ["repo-delete"], "delete repository"),
    ):
        (await borg2(client, typed, *arguments, cwd=target)).must()
        session = await house2.last_session()
        assert (session.end_reason, session.exit_status) == (EndReason.DONE, 0)
        assert session.operation == operation, arguments
        assert session.archive_created == "no"
    assert same_tree(tmp_path / "source", target)
    assert (await catalogue.find_repository(OPERATOR, "laptop")).state == "new"


@pytest.mark.long
async def test_append_only_adds_archives_and_deletes_none(house2: House, tmp_path: Path) -> None:
    client, info, url = await with_backup(house2, tmp_path)
    await change_access(info, Access.APPEND_ONLY)
    first = archives(info)
    kept = fingerprint(info.path / "packs") | fingerprint(info.path / "keys")
    (tmp_path / "source" / "new").write_text("new")
    (await borg2(client, url, "create", "two", ".", cwd=tmp_path / "source")).must()
    both = archives(info)
    assert first < both
    for refused in (["delete", "one"], ["repo-delete"]):
        done = await borg2(client, url, *refused)
        assert done.status == 2
        assert "PermissionDenied" in done.error
    assert archives(info) == both
    after = fingerprint(info.path / "packs") | fingerprint(info.path / "keys")
    assert kept.items() <= after.items()


@pytest.mark.long
async def test_read_only_reads_and_changes_not_one_byte(house2: House, tmp_path: Path) -> None:
    client, info, url = await with_backup(house2, tmp_path)
    await change_access(info, Access.READ_ONLY)
    before = fingerprint(info.path)
    target = tmp_path / "target"
    target.mkdir()
    (await borg2(client, url, "extract", "one", cwd=target)).must()
    assert same_tree(tmp_path / "source", target)
    (tmp_path / "source" / "new").write_text("new")
    for refused in (["create", "two", "."], ["delete", "one"]):
        done = await borg2(client, url, *refused, cwd=tmp_path / "source")
        assert done.status == 2
        assert "PermissionDenied" in done.error
    assert fingerprint(info.path) == before


async def test_a_key_without_full_access_is_told_that_there_is_no_repository_yet(
    house2: House,
) -> None:
    client, info = await with_repository(house2)
    await change_access(info, Access.APPEND_ONLY)
    done = await borg2(client, rest(info.url), "repo-create", "-e", "aes256-ocb")
    assert done.status == 2
    assert "Repository laptop is not created yet" in done.error


async def test_the_name_of_another_repository_is_refused_with_the_url_of_this_one(
    house2: House,
) -> None:
    client, info = await with_repository(house2)
    other = await house2.repository("nas", {"laptop": Access.FULL})
    done = await borg2(client, rest(info.url, "/./nas"), "repo-create", "-e", "aes256-ocb")
    assert done.status == 2
    assert f"use {rest(info.url)}" in done.error
    assert not (info.path / "config").exists()
    assert not (other.path / "config").exists()


@pytest.mark.long
async def test_neither_borg_opens_what_the_other_made(house2: House) -> None:
    client, info = await with_repository(house2)
    (await client.borg("init", "-e", "none", info.url)).must()
    refused = await borg2(client, rest(info.url), "repo-list")
    assert refused.status == 2
    assert f"laptop was made by borg 1: use borg 1 with {info.url}" in refused.error
    # an answer in HTTP: without one the client tries four times, with pauses
    assert [session.end_reason for session in await session_infos.list_sessions(OPERATOR)][:2] == [
        EndReason.REFUSED,
        EndReason.DONE,
    ]
    (await client.borg("delete", info.url)).must()
    (await borg2(client, rest(info.url), "repo-create", "-e", "none-sha256")).must()
    refused = await client.borg("list", info.url)
    assert refused.status == 2
    assert f"laptop was made by borg 2: use borg 2 with {rest(info.url)}" in refused.error


async def test_a_server_without_borg_2_says_so(house: House) -> None:
    client, info = await with_repository(house)
    done = await borg2(client, rest(info.url), "repo-create", "-e", "none-sha256")
    assert done.status == 2
    assert "This server has no borg 2" in done.error


@pytest.mark.long
@pytest.mark.parametrize("whole_bytes", [0, 10**9], ids=["in parts", "in one piece"])
async def test_the_server_checks_a_repository_of_borg_2_without_its_passphrase(
    house2: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole_bytes: int
) -> None:
    monkeypatch.setattr(worker, "_WHOLE_BYTES", whole_bytes)
    _, info, _ = await with_backup(house2, tmp_path)
    await until(house2.is_quiet)
    await statistics.measure(info.id)
    asked = await queue.ask(OPERATOR, info.id, UpkeepKind.CHECK)
    assert await UpkeepWorker(house2.gate.host).work()
    assert (await queue.get(asked.id)).message.startswith("A check of the whole repository")
    pack = max((info.path / "packs").rglob("*"), key=lambda path: path.stat().st_size)
    broken = bytearray(pack.read_bytes())
    broken[len(broken) // 2] ^= 0xFF
    pack.write_bytes(broken)
    asked = await queue.ask(OPERATOR, info.id, UpkeepKind.CHECK)
    assert await UpkeepWorker(house2.gate.host).work()
    assert pack.name in " ".join((await queue.get(asked.id)).problems)
    with pytest.raises(Conflict, match="passphrase"):
        await queue.ask(OPERATOR, info.id, UpkeepKind.COMPACT)


@pytest.mark.long
async def test_a_session_over_its_quota_ends_and_far_over_it_only_reads(
    house2: House, tmp_path: Path
) -> None:
    client, info, url = await with_backup(house2, tmp_path)
    await catalogue.set_repository(OPERATOR, info.id, quota_bytes=10_000_000)
    (tmp_path / "big").mkdir()
    (tmp_path / "big" / "file").write_bytes(noise(60_000_000))
    done = await borg2(client, url, "create", "two", str(tmp_path / "big"))
    assert done.status != 0
    await until(house2.is_quiet)
    found = await session_infos.list_sessions(OPERATOR, limit=6)  # it tries again and again
    ended = [one for one in found if one.end_reason == EndReason.QUOTA]
    assert ended
    assert "the quota of repository laptop, 10.00 MB, is used up" in (ended[0].error or "")
    assert paths.tree_bytes(info.path) < 40_000_000
    assert "one" in (await borg2(client, url, "repo-list")).must().text

    (tmp_path / "stuff").write_bytes(noise(90_000_000))
    (tmp_path / "stuff").rename(info.path / "packs" / "stuff")
    await quotas.note(info.id, None)
    assert "one" in (await borg2(client, url, "repo-list")).must().text
    refused = await borg2(client, url, "create", "three", str(tmp_path / "source"))
    assert refused.status != 0
