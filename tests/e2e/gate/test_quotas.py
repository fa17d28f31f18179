"""Quotas hold while a session runs, for hostile clients too, and keep nobody from deleting."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from hive.kinds import Access, EndReason, Need
from hive.services.accounts import groups, users
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue, quotas
from hive.services.repositories.infos import RepositoryInfo
from hive.services.sessions import infos as session_infos
from hive.services.storage import paths
from tests.e2e.gate.files import noise
from tests.e2e.gate.harness import Client, House, open_house, until
from tests.e2e.gate.rpc_client import RpcClient, RpcError, calling
from tests.programs import BORG_LINES, borg_command

MB = 1_000_000
QUOTA = 10 * MB
SLACK = 6 * MB  # what is on its way when the disk is looked at, and the piece that was too much


@dataclass(frozen=True)
class Room:
    """A repository, and a client whose key opens it."""

    house: House
    client: Client
    info: RepositoryInfo

    @property
    def url(self) -> str:
        return self.info.url

    @property
    def on_disk(self) -> int:
        return paths.tree_bytes(self.info.path)

    async def borg(self, *words: str | Path, version: str = "1.4", cwd: Path | None = None) -> str:
        done = await self.client.borg(*words, version=version, cwd=cwd)
        assert done.status == 0, done.error[-2000:]
        return done.text

    async def set_quota(self, quota: int | None) -> None:
        await catalogue.set_repository(
            OPERATOR, self.info.id, quota_bytes=quota, no_quota=quota is None
        )

    async def check(self) -> None:
        await self.borg("check", self.url)


async def make_room(
    house: House, quota: int | None = None, *, name: str = "laptop", is_first: bool = True
) -> Room:
    client = house.client()
    if is_first:
        await house.user()
    await house.key(client, name)
    info = await house.repository(name, {name: Access.FULL}, quota_bytes=quota)
    room = Room(house, client, info)
    await room.borg("init", "-e", "none", info.url)
    return room


def source_of(directory: Path, size: int) -> Path:
    directory.mkdir(exist_ok=True, parents=True)
    (directory / f"file{size}").write_bytes(noise(size))
    return directory


async def fill(rpc: RpcClient, most: int, *, begin: int = 0) -> int:
    """Put 2 MB again and again, whatever is answered; how often it was not taken."""
    errors = 0
    for number in range(begin, begin + most):
        try:
            errors += isinstance(await rpc.put(number, os.urandom(2 * MB)), RpcError)
        except (ConnectionResetError, BrokenPipeError):
            return errors + begin + most - number
    return errors


@pytest.mark.long
@pytest.mark.parametrize("version", BORG_LINES)
async def test_a_client_that_ignores_every_error_cannot_go_beyond_the_quota(
    tmp_path: Path, version: str
) -> None:
    async with open_house(tmp_path, **{"borg.command": borg_command(version)}) as house:
        room = await make_room(house, QUOTA)
        await room.borg("create", f"{room.url}::one", source_of(tmp_path / "files", 2 * MB))
        before = room.on_disk
        largest = 0
        async with calling(room.client, room.info.login) as rpc:
            await rpc.open()
            for begin in range(0, 150, 10):
                await fill(rpc, 10, begin=begin)
                largest = max(largest, room.on_disk)
            (await room.client.ssh(room.info.login, "status")).must()  # others are served
            await rpc.leave()
        await until(house.is_quiet)
        assert largest < QUOTA + SLACK
        assert room.on_disk < before + 100_000
        found = await session_infos.list_sessions(OPERATOR)
        session = next(one for one in found if one.need == Need.BORG)
        assert session.end_reason == EndReason.QUOTA
        assert session.error is not None
        assert "the quota of repository laptop, 10.00 MB, is used up" in session.error
        await room.check()
        assert "one" in await room.borg("list", room.url)


async def test_a_backup_over_the_quota_ends_in_words_and_leaves_nothing(
    house: House, tmp_path: Path
) -> None:
    room = await make_room(house, QUOTA)
    before = room.on_disk
    source = source_of(tmp_path / "files", 30 * MB)
    done = await room.client.borg("create", f"{room.url}::big", source)
    assert done.status == 2
    assert "the quota of repository laptop" in done.error
    assert "10.00 MB, is used up" in done.error
    assert "Anyone who manages the repository can raise it" in done.error
    await until(house.is_quiet)
    assert room.on_disk < before + 100_000
    await room.check()


@pytest.mark.long
async def test_two_sessions_cannot_use_the_same_room_twice(house: House, tmp_path: Path) -> None:
    """The quota of the owner: two repositories are written to at once."""
    first = await make_room(house)
    second = await make_room(house, name="desktop", is_first=False)
    alice = await users.find_user(OPERATOR, "alice")
    await users.set_user(OPERATOR, alice.id, users.ChangeUser(quota_bytes=20 * MB))
    async with (
        calling(first.client, first.info.login) as one,
        calling(second.client, second.info.login, "/./desktop") as other,
    ):
        await asyncio.gather(one.open(), other.open())
        await asyncio.gather(fill(one, 30), fill(other, 30))
        assert first.on_disk + second.on_disk < 20 * MB + 2 * SLACK
        await asyncio.gather(one.leave(), other.leave())
    await until(house.is_quiet)
    assert first.on_disk + second.on_disk < MB
    found = await session_infos.list_sessions(OPERATOR, limit=2)
    assert {one.end_reason for one in found} == {EndReason.QUOTA}
    assert all("the quota of user alice" in (one.error or "") for one in found)
    await first.check()
    await second.check()


@pytest.mark.long
async def test_the_quota_of_a_group_counts_what_its_members_own(
    house: House, tmp_path: Path
) -> None:
    room = await make_room(house)
    await house.user("bob")
    team = await groups.add_group(OPERATOR, groups.AddGroup(name="team", members=["alice", "bob"]))
    await groups.set_group(OPERATOR, team.id, groups.ChangeGroup(quota_bytes=QUOTA))
    client = house.client()
    await house.key(client, "bobs", owner="bob")
    other = await house.repository("bobs", {"bobs": Access.FULL}, owner="bob")
    (await client.borg("init", "-e", "none", other.url)).must()
    await room.borg("create", f"{room.url}::one", source_of(tmp_path / "files", 8 * MB))
    done = await client.borg("create", f"{other.url}::two", source_of(tmp_path / "more", 8 * MB))
    assert done.status == 2
    assert "the quota of group team" in done.error
    assert "An administrator can raise it" in done.error
    await groups.set_group(OPERATOR, team.id, groups.ChangeGroup(remove_members=["alice"]))
    source = source_of(tmp_path / "again", 8 * MB)
    (await client.borg("create", f"{other.url}::two", source)).must()


async def test_a_quota_that_is_removed_or_raised_holds_no_more_for_a_running_session(
    house: House,
) -> None:
    room = await make_room(house, QUOTA)
    async with calling(room.client, room.info.login) as rpc:
        await rpc.open()
        assert await fill(rpc, 3) == 0
        await room.set_quota(30 * MB)
        assert await fill(rpc, 5, begin=3) == 0
        await room.set_quota(None)
        assert await fill(rpc, 20, begin=8) == 0
        assert room.on_disk > 40 * MB
        await rpc.leave()


async def test_a_quota_that_is_lowered_holds_for_a_running_session(house: House) -> None:
    room = await make_room(house)
    async with calling(room.client, room.info.login) as rpc:
        await rpc.open()
        assert await fill(rpc, 10) == 0
        await room.set_quota(QUOTA)
        assert await fill(rpc, 60, begin=10) > 40
        assert room.on_disk < 20 * MB + SLACK
        await rpc.leave()
    await until(house.is_quiet)
    assert room.on_disk < MB


@pytest.mark.parametrize("version", BORG_LINES)
async def test_a_quota_that_was_taken_away_is_gone(tmp_path: Path, version: str) -> None:
    """Borg wrote it into the config, and fell back to that."""
    async with open_house(tmp_path, **{"borg.command": borg_command(version)}) as house:
        room = await make_room(house, 20 * MB)
        config = room.info.path / "config"
        config.write_text(
            config.read_text().replace("storage_quota = 0", "storage_quota = 20000000")
        )
        assert "storage_quota = 20000000" in config.read_text()
        await room.set_quota(None)
        source = source_of(tmp_path / "files", 25 * MB)
        await room.borg("create", f"{room.url}::one", source, version=version)
        assert (await catalogue.find_repository(OPERATOR, "laptop")).quota_bytes is None


@pytest.mark.long
@pytest.mark.parametrize("version", BORG_LINES)
async def test_over_a_lowered_quota_everything_works_but_writing(
    tmp_path: Path, version: str
) -> None:
    """Delete and compact failed as well."""
    async with open_house(tmp_path, **{"borg.command": borg_command(version)}) as house:
        room = await make_room(house, 100 * MB)
        url, files = room.url, tmp_path / "files"
        for size in (12 * MB, 13 * MB):
            await room.borg("create", f"{url}::s{size}", source_of(files / f"{size}", size))
        await room.set_quota(12 * MB)
        use = await quotas.use_of_repository(room.info.id)
        assert use is not None
        assert use.is_used_up
        assert "are used already" in use.warning
        refused = await room.client.borg(
            "create", f"{url}::new", source_of(tmp_path / "new", 5 * MB), version=version
        )
        assert refused.status == 2
        assert "the quota of repository laptop, 12.00 MB, is used up" in refused.error
        assert "s12000000" in await room.borg("list", url, version=version)
        target = tmp_path / "target"
        target.mkdir()
        await room.borg("extract", f"{url}::s12000000", version=version, cwd=target)
        await room.borg("check", url, version=version)
        await room.borg("delete", f"{url}::s13000000", version=version)
        await room.borg("prune", "--keep-last", "1", url, version=version)
        await room.borg("compact", url, version=version)
        assert room.on_disk < 13 * MB
        await room.borg("check", url, version=version)
