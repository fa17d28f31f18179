"""What the gate answers where the disk of its repositories is full to the last byte."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hive.kinds import Access, Mode
from hive.services.storage import paths, scratch
from hive.services.upkeep import making_room
from tests.e2e.gate.harness import Client, House, open_house, until
from tests.e2e.gate.transfers import prepare
from tests.full_disks import MIB, fill, free_bytes, may_mount, small_disk

pytestmark = pytest.mark.skipif(not may_mount(), reason="a tmpfs cannot be mounted here")


@pytest_asyncio.fixture
async def small_house(tmp_path: Path) -> AsyncIterator[House]:
    """Its storage root is on a disk of 60 MB, with its ballast."""
    with small_disk(tmp_path / "root", 60) as root:
        async with open_house(tmp_path, **{"storage.root": root}) as house:
            await making_room.look_after()
            yield house


async def _backed_up(house: House, client: Client, *, access: Access = Access.FULL) -> str:
    """The URL of a repository with one archive, that this client's key opens."""
    await house.user()
    await house.key(client, "laptop")
    info = await house.repository("laptop", {"laptop": Access.FULL})
    (client.directory / "file").write_bytes(os.urandom(MIB))
    (await client.borg("init", "-e", "repokey-blake2", info.url)).must()
    (await client.borg("create", "-C", "none", f"{info.url}::one", "file")).must()
    return info.url


@pytest.mark.long
async def test_one_session_at_a_time_makes_room(small_house: House, tmp_path: Path) -> None:
    client = small_house.client()
    url = await _backed_up(small_house, client)
    root = tmp_path / "root"
    fill(root / "foreign")
    async with making_room.borrowed(root):
        refused = await client.borg("delete", f"{url}::one")
        assert refused.status == 2
        assert "another session is making room" in refused.error
        (await client.borg("check", url)).must()
        assert "one" in (await client.borg("list", "--short", url)).must().text
    (await client.borg("delete", f"{url}::one")).must()
    await until(small_house.is_quiet)
    assert paths.ballast(root).size > 0


async def test_an_import_is_refused_in_words(
    small_house: House, source: Path, tmp_path: Path
) -> None:
    transfer = await prepare(small_house, source)
    fill(tmp_path / "root" / "foreign")
    refused = await transfer.push()
    assert refused.status != 0
    assert "The server's disk is full" in refused.error
    (tmp_path / "root" / "foreign").unlink()
    (await transfer.push()).must()


async def test_an_export_works_on_a_full_disk(
    small_house: House, source: Path, tmp_path: Path
) -> None:
    transfer = await prepare(small_house, source, mode=Mode.EXPORT, filled=True)
    fill(tmp_path / "root" / "foreign")
    (await transfer.pull(tmp_path / "pulled")).must()
    assert (tmp_path / "pulled" / "config").exists()


async def test_a_repository_cannot_be_created_on_a_full_disk(
    small_house: House, tmp_path: Path
) -> None:
    client = small_house.client()
    await small_house.user()
    await small_house.key(client, "laptop")
    info = await small_house.repository("laptop", {"laptop": Access.FULL})
    fill(tmp_path / "root" / "foreign")
    refused = await client.borg("init", "-e", "none", info.url)
    assert refused.status == 2
    assert "The server's disk is full" in refused.error
    assert free_bytes(tmp_path / "root") <= MIB


async def test_children_leave_nothing_behind_and_nothing_on_the_storage_root(
    small_house: House, tmp_path: Path
) -> None:
    client = small_house.client()
    await _backed_up(small_house, client)
    await until(small_house.is_quiet)
    (home,) = [path for path in (tmp_path / "root").iterdir() if not path.name.startswith(".")]
    assert {path.name for path in home.iterdir()} == {"laptop"}
    login = (await small_house.last_session()).login
    kept = small_house.gate.host.settings.paths.scratch / login
    await until(lambda: asyncio.to_thread(_is_empty, kept))


def _is_empty(directory: Path) -> bool:
    return not any(directory.iterdir())


async def test_what_lies_in_the_scratch_of_a_killed_server_is_removed(house: House) -> None:
    left = house.gate.host.settings.paths.scratch / "abcd2345"
    (left / "cache").mkdir(parents=True)
    (left / "link").symlink_to("/etc")
    other = house.gate.host.settings.paths.scratch / "not a login"
    other.mkdir()
    await asyncio.to_thread(scratch.clear)
    assert not left.exists()
    assert other.exists()
    assert Path("/etc/passwd").exists()
