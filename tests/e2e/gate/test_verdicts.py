"""What the server makes of every command of real borg clients, without a passphrase."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from hive.borg.repository import last_transaction
from hive.kinds import Access, ArchiveCreated, EndReason, Operation
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from hive.services.sessions import infos as session_infos
from tests.e2e.gate.files import make_files, noise
from tests.e2e.gate.harness import Client, House, until
from tests.e2e.gate.test_borg import change_access, with_repository
from tests.e2e.gate.test_borgmatic import borgmatic
from tests.e2e.gate.test_borgmatic import with_repository as with_borgmatic
from tests.programs import BORG_LINES, borg_command

# borgmatic looks before it acts: `borg info`, `borg list`
LOOKED_UP = (Operation.READ, Operation.NOTHING)
YES, NO, PARTIAL = ArchiveCreated.YES, ArchiveCreated.NO, ArchiveCreated.PARTIAL


@dataclass
class Sequel:
    """One repository, and a client that does one thing after the other to it."""

    house: House
    client: Client
    url: str
    version: str
    source: Path
    seen: int = 0
    wrong: list[str] = field(default_factory=list)

    async def last_backup_at(self) -> datetime | None:
        return (await catalogue.find_repository(OPERATOR, "laptop")).last_backup_at

    async def borg(self, *words: str, status: int = 0, **environment: str) -> None:
        arguments = [word.replace("URL", self.url) for word in words]
        done = await self.client.borg(
            *arguments, version=self.version, cwd=self.source, **environment
        )
        done.must(status)

    async def judged(
        self,
        name: str,
        operation: Operation,
        created: ArchiveCreated = NO,
        end: EndReason = EndReason.DONE,
    ) -> session_infos.SessionInfo:
        """Print the verdict over the one session that there was, and note it where it is wrong."""
        await until(self.house.is_quiet)
        session = await self.house.last_session()
        right = (session.operation, session.archive_created, session.end_reason) == (
            operation,
            created,
            end,
        )
        assert session.id > self.seen, name
        self.seen = session.id
        line = (
            f"{self.version}  {name[:38]:38} {session.operation or '':18}"
            f" {session.archive_created or '':8} {session.end_reason or '':15}"
            f" +{session.bytes_added} -{session.bytes_removed} freed {session.bytes_freed}"
            f" reclaimable {session.reclaimable_bytes}  {session.error or ''}"
        )
        print(line if right else f"WRONG {line}")  # noqa: T201 - the table is what is wanted
        if not right:
            self.wrong.append(line)
        return session

    async def did(
        self,
        words: Sequence[str],
        operation: Operation,
        created: ArchiveCreated = NO,
        end: EndReason = EndReason.DONE,
        *,
        status: int = 0,
        **environment: str,
    ) -> session_infos.SessionInfo:
        """Run borg, and compare the verdict; only a backup may move the time of the last one."""
        before = await self.last_backup_at()
        await self.borg(*words, status=status, **environment)
        session = await self.judged(" ".join(words), operation, created, end)
        after = await self.last_backup_at()
        if operation == Operation.DELETE_REPOSITORY:
            assert after is None, words  # what is gone is no backup any more
        else:
            assert (after != before) == (created == YES), words
        if created == YES:
            assert after == session.ended_at
        return session

    def add(self, name: str, size: int = 300_000) -> None:
        (self.source / name).write_bytes(noise(size, seed=len(name) + size))


async def begin(house: House, tmp_path: Path, version: str) -> Sequel:
    client, url = await with_repository(house)
    return Sequel(house, client, url, version, make_files(tmp_path / "source"))


async def creates(sequel: Sequel) -> None:
    created = await sequel.did(["create", "URL::one", "."], Operation.CREATE, YES)
    assert created.bytes_added is not None
    assert created.bytes_added > 100_000
    await sequel.did(["create", "URL::same", "."], Operation.CREATE, YES)
    sequel.add("two")
    await sequel.did(["create", "URL::two", "."], Operation.CREATE, YES)
    words = ["create", "URL::warning", ".", "/no/such/file"]
    await sequel.did(words, Operation.CREATE, YES, status=1)
    failed = ["create", "URL::two", "."]
    await sequel.did(failed, Operation.NOTHING, NO, EndReason.FAILED, status=2)
    shutil.rmtree(sequel.client.directory / "borg" / ".cache" / "borg")
    await sequel.did(["create", "URL::without-cache", "."], Operation.CREATE, YES)
    words = ["create", "--no-cache-sync", "URL::unsynced", "."]
    await sequel.did(words, Operation.CREATE, YES)


async def interrupted(sequel: Sequel, name: str, interval: str, size: int) -> None:
    """A create that is killed with all it started when some data has arrived."""
    info = await catalogue.find_repository(OPERATOR, "laptop")
    big = sequel.source.parent / name
    big.mkdir()
    for number in range(12):
        (big / str(number)).write_bytes(noise(15_000_000, seed=number + 100 * len(name)))

    def stored() -> int:
        return sum(p.stat().st_size for p in (info.path / "data").rglob("*") if p.is_file())

    before = stored()
    process = await sequel.client.start(
        *(borg_command(sequel.version), "create", "--checkpoint-interval", interval),
        *("--upload-ratelimit", "20000", f"{sequel.url}::{name}", "."),
        cwd=big,
    )

    newest, then = last_transaction(info.path), before

    def is_beyond() -> bool:
        """Whether some data lies behind the last commit: it is in the middle of no checkpoint."""
        nonlocal newest, then
        if (now := last_transaction(info.path)) != newest:
            newest, then = now, stored()
        return stored() > max(before + size, then + 2_000_000)

    async def at_rest() -> bool:
        seen = (last_transaction(info.path), stored())
        await asyncio.sleep(0.3)
        return seen == (last_transaction(info.path), stored())

    async def stopped_beyond() -> bool:
        if not is_beyond():
            return False
        os.killpg(process.pid, signal.SIGSTOP)
        await until(at_rest)  # what was sent already has arrived
        if is_beyond():
            return True
        os.killpg(process.pid, signal.SIGCONT)
        return False

    await until(stopped_beyond, seconds=40)
    os.killpg(process.pid, signal.SIGKILL)
    await process.communicate()


async def changes(sequel: Sequel) -> None:
    await sequel.did(["rename", "URL::warning", "renamed"], Operation.RENAME)
    await sequel.did(["recreate", "--comment", "x", "URL::renamed"], Operation.RECREATE)
    await sequel.did(["recreate", "-e", "two", "URL"], Operation.RECREATE)
    words = ["recreate", "--target", "copy", "-e", "two", "URL::one"]
    await sequel.did(words, Operation.RECREATE)
    await sequel.did(["delete", "URL::renamed"], Operation.DELETE)
    await sequel.did(["prune", "--keep-last", "2", "URL"], Operation.DELETE)
    await sequel.did(["prune", "--keep-last", "2", "URL"], Operation.NOTHING)
    await sequel.did(["compact", "URL"], Operation.COMPACT)
    freed = await sequel.did(["compact", "URL"], Operation.COMPACT)
    assert freed.bytes_freed == 0
    await sequel.did(["with-lock", "URL", "true"], Operation.WRITE)


async def checks(sequel: Sequel) -> None:
    await sequel.did(["check", "URL"], Operation.CHECK)
    await sequel.did(["check", "--repository-only", "URL"], Operation.CHECK)
    await sequel.did(["check", "--archives-only", "URL"], Operation.CHECK)
    await sequel.did(["check", "--repair", "URL"], Operation.REPAIR)
    await sequel.did(["check", "--repair", "--archives-only", "URL"], Operation.REPAIR)


async def reads(sequel: Sequel) -> None:
    await sequel.did(["list", "URL"], Operation.READ)
    await sequel.did(["list", "URL::unsynced"], Operation.READ)
    await sequel.did(["info", "URL"], Operation.READ)
    await sequel.did(["extract", "--dry-run", "URL::unsynced"], Operation.READ)
    key = str(sequel.client.directory / "key")
    await sequel.did(["key", "export", "URL", key], Operation.READ)
    words = ["key", "change-passphrase", "URL"]
    new = "another passphrase"
    await sequel.did(words, Operation.KEY_CHANGE, BORG_NEW_PASSPHRASE=new)
    await sequel.did(["key", "import", "URL", key], Operation.KEY_CHANGE)
    await sequel.did(["break-lock", "URL"], Operation.BREAK_LOCK)
    words, end = ["create", "URL::x", "."], EndReason.FAILED
    wrong = "not this one"
    await sequel.did(words, Operation.NOTHING, NO, end, status=2, BORG_PASSPHRASE=wrong)


async def deleted(sequel: Sequel) -> session_infos.SessionInfo:
    """A new archive that is deleted again, and what its deletion was taken for."""
    sequel.add("passing", 2_000_000)
    made = await sequel.did(["create", "URL::passing", "."], Operation.CREATE, YES)
    (sequel.source / "passing").unlink()
    session = await sequel.did(["delete", "URL::passing"], Operation.DELETE)
    assert made.bytes_added is not None
    assert session.bytes_removed == pytest.approx(made.bytes_added, rel=0.01)
    assert session.reclaimable_bytes is not None
    assert session.reclaimable_bytes > 2_000_000
    return session


@pytest.mark.long
@pytest.mark.parametrize("version", BORG_LINES)
async def test_every_command_of_borg_is_told(house: House, tmp_path: Path, version: str) -> None:
    sequel = await begin(house, tmp_path, version)
    await sequel.did(["init", "-e", "repokey-blake2", "URL"], Operation.INIT)
    await creates(sequel)
    await changes(sequel)
    await checks(sequel)
    await reads(sequel)
    await deleted(sequel)
    freed = await sequel.did(["compact", "URL"], Operation.COMPACT)
    assert freed.bytes_freed is not None
    assert freed.bytes_freed > 2_000_000
    await sequel.did(["delete", "URL"], Operation.DELETE_REPOSITORY)
    assert sequel.wrong == []


@pytest.mark.long
@pytest.mark.parametrize("version", BORG_LINES)
async def test_a_killed_backup_is_none_and_a_checkpoint_is_partial(
    house: House, tmp_path: Path, version: str
) -> None:
    sequel = await begin(house, tmp_path, version)
    await sequel.did(["init", "-e", "repokey-blake2", "URL"], Operation.INIT)
    await interrupted(sequel, "early", "1800", 10_000_000)
    await sequel.judged("create, killed", Operation.CREATE, NO, EndReason.CLIENT_GONE)
    await interrupted(sequel, "checkpoint", "1", 45_000_000)
    await sequel.judged(
        "create, killed after checkpoint", Operation.CREATE, PARTIAL, EndReason.CLIENT_GONE
    )
    assert await sequel.last_backup_at() is None
    assert sequel.wrong == []


@pytest.mark.long
@pytest.mark.parametrize("version", BORG_LINES)
async def test_an_append_only_key_is_told_as_well(
    house: House, tmp_path: Path, version: str
) -> None:
    sequel = await begin(house, tmp_path, version)
    await sequel.did(["init", "-e", "repokey-blake2", "URL"], Operation.INIT)
    await change_access(Access.APPEND_ONLY)
    await deleted(sequel)
    session = await sequel.did(["compact", "URL"], Operation.COMPACT)
    assert session.bytes_freed == 0
    await sequel.did(["create", "URL::two", "."], Operation.CREATE, YES)
    await sequel.did(["rename", "URL::two", "three"], Operation.RENAME)
    words = ["delete", "URL"]
    refused = await sequel.did(words, Operation.NOTHING, NO, EndReason.REFUSED, status=2)
    assert refused.error == "refused: destroy"
    await change_access(Access.READ_ONLY)
    words = ["create", "URL::four", "."]
    await sequel.did(words, Operation.NOTHING, NO, EndReason.REFUSED, status=2)
    assert sequel.wrong == []


@pytest.mark.long
async def test_a_full_quota_is_why_a_backup_ended(house: House, tmp_path: Path) -> None:
    sequel = await begin(house, tmp_path, "1.4")
    info = await catalogue.find_repository(OPERATOR, "laptop")
    await catalogue.set_repository(OPERATOR, info.id, quota_bytes=10_000_000)
    await sequel.did(["init", "-e", "none", "URL"], Operation.INIT)
    sequel.add("big", 15_000_000)
    words = ["create", "URL::one", "."]
    session = await sequel.did(words, Operation.CREATE, NO, EndReason.QUOTA, status=2)
    assert session.error is not None
    assert "quota" in session.error


@pytest.mark.long
async def test_a_lock_that_is_held_is_why_a_backup_ended(house: House, tmp_path: Path) -> None:
    sequel = await begin(house, tmp_path, "1.4")
    await sequel.did(["init", "-e", "none", "URL"], Operation.INIT)
    holder = await sequel.client.start(
        borg_command("1.4"), "with-lock", sequel.url, "sleep", "30", cwd=sequel.source
    )
    await until(house.has_running)
    await asyncio.sleep(1)
    await sequel.borg("create", "--lock-wait", "0", "URL::one", ".", status=2)

    async def one_runs() -> bool:
        return len(await house.running()) == 1

    await until(one_runs)
    session = await house.last_session()
    assert (session.operation, session.end_reason) == (Operation.NOTHING, EndReason.BORG_ERROR)
    assert session.error is not None
    assert "lock" in session.error
    os.killpg(holder.pid, signal.SIGKILL)
    await holder.communicate()


@pytest.mark.long
async def test_a_mount_is_told_as_reading(house: House, tmp_path: Path) -> None:
    sequel = await begin(house, tmp_path, "1.2")
    await sequel.did(["init", "-e", "repokey-blake2", "URL"], Operation.INIT)
    await sequel.did(["create", "URL::one", "."], Operation.CREATE, YES)
    await change_access(Access.READ_ONLY)
    point = tmp_path / "mounted"
    point.mkdir()
    words = (borg_command("1.2"), "mount", "--foreground", sequel.url, point)
    mounting = await sequel.client.start(*words)

    async def is_mounted() -> bool:
        # in a thread: what is asked for comes through this very loop
        return await asyncio.to_thread((point / "one").is_dir)

    try:
        await until(is_mounted)
        shown = await asyncio.to_thread(lambda: sum(1 for _ in (point / "one").rglob("*")))
    finally:
        await sequel.client.run("fusermount3", "-u", point)
        await asyncio.wait_for(mounting.communicate(), 20)
    assert shown == sum(1 for _ in sequel.source.rglob("*"))
    await sequel.judged("mount", Operation.READ)
    assert sequel.wrong == []


@pytest.mark.long
async def test_each_command_that_borgmatic_runs_is_told(house: House, tmp_path: Path) -> None:
    client, _, config = await with_borgmatic(house, tmp_path)
    wanted = {
        ("repo-create", "--encryption", "repokey-blake2"): [Operation.INIT],
        ("create",): [Operation.CREATE],
        ("create", "prune", "compact"): [Operation.CREATE, Operation.DELETE, Operation.COMPACT],
        ("check",): [Operation.CHECK],
        ("list",): [Operation.READ],
    }
    seen = 0
    for words, operations in wanted.items():
        (await borgmatic(client, config, *words)).must()
        await until(house.is_quiet)
        rows = [row for row in await session_infos.list_sessions(OPERATOR) if row.id > seen][::-1]
        seen = rows[-1].id
        told = [row.operation for row in rows if row.operation not in LOOKED_UP]
        print(f"borgmatic {' '.join(words):40} {[row.operation for row in rows]}")  # noqa: T201
        assert told == [one for one in operations if one not in LOOKED_UP], words
        for row in rows:
            made = row.operation == Operation.CREATE
            assert (row.archive_created == YES) == made
            assert row.end_reason == EndReason.DONE or row.operation in LOOKED_UP
    newest = max(
        row.ended_at
        for row in await session_infos.list_sessions(OPERATOR)
        if row.archive_created == YES and row.ended_at is not None
    )
    assert (await catalogue.find_repository(OPERATOR, "laptop")).last_backup_at == newest
