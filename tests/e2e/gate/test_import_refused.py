"""Imports that are refused: before they begin, and when what they brought is no repository."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from hive.borg.verify import NotARepository, verify
from hive.kinds import Access, Mode
from hive.services import events
from hive.services.keys import grants
from hive.services.permissions import OPERATOR
from tests.e2e.gate.files import content, fingerprint
from tests.e2e.gate.harness import House, until
from tests.e2e.gate.test_endings import hold_lock, leave
from tests.e2e.gate.transfers import newest_index, prepare
from tests.programs import rsync_command


def stray(source: Path) -> None:
    (source / "data" / "0" / "notes.txt").write_text("mine")


def odd_names(source: Path) -> None:
    for name in (b"new\nline", b"\x1b[2Jescape", b"x" * 255, b"\xff\xfe", b"-rf"):
        Path(os.fsdecode(os.fsencode(source) + b"/" + name)).write_text("x")


def link(source: Path) -> None:
    (source / "config").rename(source / "config.real")
    (source / "config").symlink_to("config.real")


def linked_directory(source: Path) -> None:
    (source / "data" / "1").symlink_to("/etc")


def lock(source: Path) -> None:
    (source / "lock.exclusive").mkdir()
    (source / "lock.exclusive" / "host@1.2-3").touch()


def no_config(source: Path) -> None:
    (source / "config").unlink()


def broken_config(source: Path) -> None:
    (source / "config").write_text("[repository]\nversion = 1\nid = 7\n")


def no_data(source: Path) -> None:
    (source / "data").rename(source.parent / "data")


def no_borg(source: Path) -> None:
    (source / f"hints.{newest_index(source)}").write_bytes(b"\x81\xa8segments\xdf\xff\xff\xff\xff")


def deep(source: Path) -> None:
    path = source / "data" / "0"
    for _ in range(100):
        path /= "d"
    path.mkdir(parents=True)


def mixed(source: Path) -> None:
    last = source / "data" / "0" / str(newest_index(source))
    (source / "data" / "0" / "99").write_bytes(last.read_bytes())


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (stray, "data/0/notes.txt' does not belong"),
        (odd_names, "does not belong"),
        (link, "'config' is a symbolic link"),
        (linked_directory, "'data/1' is a symbolic link"),
        (lock, "is a lock: the repository was in use"),
        (no_config, "there is no config file"),
        (broken_config, "its config file is not borg's"),
        (no_data, "data is missing"),
        (no_borg, "is not borg's"),
        (deep, "data/0/d' does not belong"),
        (mixed, "segment 99 is newer than the index"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.varied(4)
async def test_what_is_no_repository_stays_staged_and_says_why(
    house: House, source: Path, made_repository: Path, spoil: Callable[[Path], None], words: str
) -> None:
    transfer = await prepare(house, source, filled=True)
    spoil(source)
    done = (await transfer.push("-a")).must(23)
    assert words in done.error
    assert "stays staged" in done.error
    assert len(done.error.splitlines()) == 1 + 1  # and what rsync makes of the status
    assert done.error.isascii()
    assert content(transfer.info.path) == content(made_repository)
    assert any(transfer.staging.iterdir())
    rejected = [e for e in await events.recent(OPERATOR) if e.kind == "import rejected"]
    assert words in rejected[0].message
    settled = await transfer.switch(Mode.BORG)
    assert settled is not None
    assert words in (settled.problem or "")
    assert content(transfer.info.path) == content(made_repository)


async def test_a_corrected_import_goes_in_place(
    house: House, source: Path, made_repository: Path
) -> None:
    transfer = await prepare(house, source)
    stray(source)
    assert "stays staged" in (await transfer.push("-a")).must(23).error
    (source / "data" / "0" / "notes.txt").unlink()
    assert "stays staged" in (await transfer.push("-a")).must(23).error
    assert "is in place" in (await transfer.push("-a", "--delete")).must().error
    assert content(transfer.info.path) == content(made_repository)


def special_files(tree: Path) -> list[Path]:
    os.mkfifo(tree / "README.fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tree / "socket"))
    os.link(tree / "README", tree.parent / "another name")
    (tree / "config").chmod(0o4600)
    return [tree / name for name in ("README.fifo", "socket", "README", "config")]


async def test_verification_names_devices_hard_links_and_special_bits(source: Path) -> None:
    special_files(source)
    with pytest.raises(NotARepository) as caught:
        verify(source)
    for words in (
        "'README.fifo' is neither a file",
        "'socket' is neither a file",
        "'README' is hard-linked",
        "'config' has the set-user-ID bit",
    ):
        assert words in caught.value.message


@pytest.mark.parametrize("access", [Access.APPEND_ONLY, Access.READ_ONLY])
async def test_only_full_access_imports(house: House, source: Path, access: Access) -> None:
    transfer = await prepare(house, source, access=access)
    done = await transfer.push("-a")
    assert done.status != 0
    assert f"This key has {access} access to laptop: an import needs a key" in done.error
    assert not transfer.info.path.exists()


async def test_each_mode_says_what_it_takes(house: House, source: Path, tmp_path: Path) -> None:
    transfer = await prepare(house, source, filled=True)
    before = fingerprint(transfer.info.path)
    borg = await transfer.borg("list", transfer.info.url)
    assert borg.status == 2
    assert "is in mode IMPORT: it takes rsync uploads only" in borg.error
    assert "Traceback" not in borg.error
    pulled = await transfer.pull(tmp_path / "target")
    assert pulled.status != 0
    assert "is in mode IMPORT" in pulled.error
    await transfer.switch(Mode.EXPORT)
    borg = await transfer.borg("create", f"{transfer.info.url}::new", source)
    assert borg.status == 2
    assert "is in mode EXPORT: it takes rsync downloads only" in borg.error
    pushed = await transfer.push("-a")
    assert pushed.status != 0
    assert "is in mode EXPORT" in pushed.error
    await transfer.switch(Mode.BORG)
    for done in (await transfer.push("-a"), await transfer.pull(tmp_path / "target")):
        assert done.status != 0
        assert "is in mode BORG: it takes borg; rsync needs mode IMPORT" in done.error
    assert fingerprint(transfer.info.path) == before
    assert not any((tmp_path / "target").rglob("*"))


async def test_no_import_begins_beside_another(house: House, source: Path) -> None:
    transfer = await prepare(house, source)
    client = transfer.client
    command = [rsync_command(), "-a", "--bwlimit=300", "-e", client.remote_shell]
    first = await client.start(*command, f"{source}/", transfer.target)
    await until(house.has_running)
    second = await transfer.push("-a")
    assert second.status != 0
    assert "is in use: a session of kind import is running" in second.error
    first.kill()
    await first.communicate()
    await until(house.is_quiet)


async def test_a_borg_session_ends_before_an_import_begins(house: House, source: Path) -> None:
    transfer = await prepare(house, source, mode=Mode.BORG, filled=True)
    holder = await hold_lock(transfer.client)
    assert "is in mode BORG" in (await transfer.push("-a")).error
    switching = asyncio.ensure_future(transfer.switch(Mode.IMPORT))
    assert "this session was ended: Repository laptop is in mode IMPORT" in await leave(holder)
    await switching
    assert await house.is_quiet()
    assert "is in place" in (await transfer.push("-a")).must().error


async def test_a_key_that_loses_its_grant_stops_importing(house: House, source: Path) -> None:
    transfer = await prepare(house, source)
    client = transfer.client
    command = [rsync_command(), "-a", "--bwlimit=300", "-e", client.remote_shell]
    process = await client.start(*command, f"{source}/", transfer.target)
    await until(house.has_running)
    await grants.change_access(
        OPERATOR, transfer.info.id, grants.ChangeAccess(accesses={"laptop": Access.APPEND_ONLY})
    )
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert b"this session was ended" in err
    await until(house.is_quiet)
    assert not (transfer.info.path / "config").exists()
