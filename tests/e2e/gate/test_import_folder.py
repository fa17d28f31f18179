"""Imports that came in a folder, over a quota, with limits, without an index, or were left."""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from hive import clock
from hive.borg.verify import NotARepository, verify
from hive.errors import Conflict
from hive.kinds import EndReason, EventKind, Mode
from hive.models import Session
from hive.services import events
from hive.services.alarms.alarms import UNTIL_ANSWERED
from hive.services.lifecycle import config_limits, staged_imports, trash
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue, quota_watch, quotas
from hive.services.storage import paths
from tests.e2e.gate.files import content, noise
from tests.e2e.gate.harness import Done, House, open_house, until
from tests.e2e.gate.transfers import Transfer, prepare, statistics
from tests.programs import BORG_LINES, borg_command, rsync_command

MB = 1_000_000


async def push_folder(transfer: Transfer, *options: str) -> Done:
    """As people forget the slash."""
    return await transfer.client.rsync("-a", *options, str(transfer.source), transfer.target)


def derived_bytes(source: Path) -> int:
    return sum(
        path.stat().st_size
        for kind in ("index", "hints", "integrity")
        for path in source.glob(f"{kind}.*")
    )


async def test_a_folder_that_holds_a_repository_is_taken_and_not_sent_twice(
    house: House, source: Path
) -> None:
    transfer = await prepare(house, source)
    first = (await push_folder(transfer, "--stats")).must()
    assert "The import is in place" in first.error
    assert "with a slash at its end" in first.error
    assert content(transfer.info.path) == content(source)
    assert not (transfer.info.path / source.name).exists()
    assert not transfer.staging.exists()

    (source / "README").write_text("changed\n")
    again = (await push_folder(transfer, "--stats")).must()
    assert statistics(again)["Literal data"] <= len("changed\n") + derived_bytes(source)
    assert content(transfer.info.path) == content(source)
    assert {path.stat().st_nlink for path in transfer.info.path.rglob("*") if path.is_file()} == {1}
    assert sorted(path.name for path in transfer.info.path.parent.iterdir()) == ["laptop"]

    with_slash = (await transfer.push("-a", "--stats")).must()
    assert statistics(with_slash)["Literal data"] <= derived_bytes(source)
    assert content(transfer.info.path) == content(source)


async def test_a_folder_named_data_is_taken_too(house: House, source: Path) -> None:
    transfer = await prepare(house, source)
    source.rename(source.parent / "data")
    done = (await transfer.client.rsync("-a", source.parent / "data", transfer.target)).must()
    assert "The import is in place" in done.error
    assert content(transfer.info.path) == content(source.parent / "data")


async def test_a_folder_beside_something_else_is_refused_with_the_slash_named(
    house: House, source: Path
) -> None:
    transfer = await prepare(house, source)
    (source.parent / "notes").write_text("mine")
    sources = [str(source), str(source.parent / "notes")]
    done = (await transfer.client.rsync("-a", *sources, transfer.target)).must(23)
    assert "with a slash at its end (SOURCE/) and --delete" in done.error
    assert not (transfer.info.path / "config").exists()
    (await transfer.push("-a", "--delete")).must()
    assert content(transfer.info.path) == content(source)


@pytest.mark.long
@pytest.mark.parametrize("version", BORG_LINES)
async def test_what_borg_derives_is_dropped_and_made_again(
    tmp_path: Path, source: Path, version: str
) -> None:
    """A forged index would be believed by every later session."""
    for path in [*source.glob("index.*"), *source.glob("integrity.*")]:
        path.write_bytes(noise(5_000))
    async with open_house(tmp_path, **{"borg.command": borg_command(version)}) as house:
        transfer = await prepare(house, source)
        (await transfer.push("-a")).must()
        assert not derived_bytes(transfer.info.path)
        info = await transfer.now()
        assert info.size_bytes is not None
        assert info.last_backup_at is not None
        assert info.last_backup_is_estimated
        await transfer.switch(Mode.BORG)
        url, client = transfer.info.url, transfer.client
        listed = (await client.borg("list", "--short", url, version=version)).must()
        assert listed.text.split() == ["one", "two"]
        kinds = [event.kind for event in await events.recent(OPERATOR)]
        assert EventKind.UPDATED not in kinds  # to build the index is no change
        (await client.borg("check", url, version=version)).must()
        (tmp_path / "new").write_bytes(noise(100_000))
        (await client.borg("create", f"{url}::three", tmp_path / "new", version=version)).must()
        (await client.borg("check", url, version=version)).must()
        assert derived_bytes(transfer.info.path)
        alarms = {*UNTIL_ANSWERED, EventKind.MEASURING_FAILED}
        assert not alarms & {event.kind for event in await events.recent(OPERATOR)}


async def test_an_import_ends_when_it_is_over_the_quota(house: House, source: Path) -> None:
    for number in range(20):
        (source / "data" / "0" / f"{1000 + number}").write_bytes(noise(5 * MB, number))
    transfer = await prepare(house, source)
    await catalogue.set_repository(OPERATOR, transfer.info.id, quota_bytes=20 * MB)
    done = await transfer.push("-a", "--bwlimit=20000")
    assert done.status != 0
    assert "the quota of repository laptop, 20.00 MB, is used up" in done.error
    await until(house.is_quiet)
    assert (await house.last_session()).end_reason == EndReason.QUOTA
    staged = paths.tree_bytes(transfer.staging)
    assert staged < 20 * MB + 40 * MB  # what two seconds bring
    assert not (transfer.info.path / "config").exists()

    again = await transfer.push("-a")
    assert again.status != 0
    assert "is used up" in again.error
    assert paths.tree_bytes(transfer.staging) == staged
    await staged_imports.discard(OPERATOR, transfer.info.id)
    assert (await quotas.uses(transfer.info.id))[0].used_bytes < MB


@pytest.mark.long
async def test_an_import_that_unpacks_much_from_little_is_measured_on_disk(
    house: House, source: Path
) -> None:
    transfer = await prepare(house, source)
    await catalogue.set_repository(OPERATOR, transfer.info.id, quota_bytes=20 * MB)
    for number in range(40):
        (source / "data" / "0" / f"{1000 + number}").write_bytes(bytes(20 * MB))
    done = await transfer.push("-az")
    assert done.status != 0
    await until(house.is_quiet)
    session = await house.last_session()
    assert session.bytes_in is not None
    assert session.bytes_in < 10 * MB
    assert session.end_reason == EndReason.QUOTA


async def test_an_import_that_ends_between_two_looks_at_the_disk_is_held_to_the_quota(
    house: House, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota_watch, "_LOOK_EVERY", 3600.0)
    transfer = await prepare(house, source)
    await catalogue.set_repository(OPERATOR, transfer.info.id, quota_bytes=20 * MB)
    for number in range(3):
        (source / "data" / "0" / f"{1000 + number}").write_bytes(bytes(20 * MB))
    done = await transfer.push("-az")
    assert done.status != 0
    assert "the quota of repository laptop, 20.00 MB, is used up" in done.error
    await until(house.is_quiet)
    assert (await house.last_session()).end_reason == EndReason.QUOTA
    assert not (transfer.info.path / "config").exists()


async def test_what_an_import_replaced_counts_until_it_is_gone(house: House, source: Path) -> None:
    """Else a key could fill the trash, import by import."""
    transfer = await prepare(house, source)
    await catalogue.set_repository(OPERATOR, transfer.info.id, quota_bytes=12 * MB)
    refused = None
    for number in range(8):
        (source / "data" / "0" / "0").touch()
        (source / "README").write_text(f"{number}")
        done = await transfer.push("-a")
        if done.status != 0:
            refused = done
            break
    assert refused is not None
    assert "is used up" in refused.error
    assert paths.tree_bytes(house.gate.host.settings.paths.repositories) < 20 * MB


async def test_a_staged_import_is_discarded_when_asked_to_and_when_it_is_old(
    house: House, source: Path
) -> None:
    transfer = await prepare(house, source)
    (source / "stray").write_text("mine")
    (await transfer.push("-a")).must(23)
    info = await transfer.now()
    staged = await staged_imports.look(info)
    assert staged is not None
    assert staged.size_bytes > 2 * MB
    assert staged.until is not None
    assert staged.until - staged.since == timedelta(days=7)
    assert await staged_imports.discard_old() == 0
    assert await staged_imports.discard(OPERATOR, info.id) == staged.size_bytes
    assert await staged_imports.look(info) is None
    with pytest.raises(Conflict, match="No import is staged"):
        await staged_imports.discard(OPERATOR, info.id)

    (await transfer.push("-a")).must(23)
    await Session.all().update(ended_at=clock.now() - timedelta(days=8))
    assert await staged_imports.discard_old() == 1
    assert not transfer.staging.exists()
    found = [event.message for event in await events.recent(OPERATOR)]
    assert any("was discarded after 7 days without a change" in message for message in found)


async def test_no_import_is_discarded_while_it_runs(house: House, source: Path) -> None:
    transfer = await prepare(house, source)
    client = transfer.client
    command = [rsync_command(), "-a", "--bwlimit=300", "-e", client.remote_shell]
    process = await client.start(*command, f"{source}/", transfer.target)
    await until(house.has_running)
    with pytest.raises(Conflict, match="still running"):
        await staged_imports.discard(OPERATOR, transfer.info.id)
    process.kill()
    await process.communicate()
    await until(house.is_quiet)


@pytest.mark.long
@pytest.mark.parametrize("version", BORG_LINES)
async def test_limits_that_an_import_brings_are_told_and_cleared(
    tmp_path: Path, source: Path, version: str
) -> None:
    config = source / "config"
    text = config.read_text()
    for name, value in (("append_only", "1"), ("storage_quota", "20000000")):
        text = text.replace(f"{name} = 0", f"{name} = {value}")
    config.write_text(text.replace("additional_free_space = 0", "additional_free_space = 1M"))
    async with open_house(tmp_path, **{"borg.command": borg_command(version)}) as house:
        transfer = await prepare(house, source)
        done = (await transfer.push("-a")).must()
        assert "Its config sets append_only, storage_quota 20.00 MB, additional" in done.error
        assert "clear-config-limits" in done.error
        await transfer.switch(Mode.BORG)
        url, client = transfer.info.url, transfer.client
        (tmp_path / "files").mkdir()
        (tmp_path / "files" / "big").write_bytes(noise(25 * MB))
        # the quota of the former server decides nothing
        created = await client.borg("create", f"{url}::big", tmp_path / "files", version=version)
        created.must()

        cleared = await config_limits.clear(OPERATOR, transfer.info.id)
        assert len(cleared.in_words) == 3
        assert not config_limits.read(transfer.info.path).in_words
        assert not list(transfer.info.path.glob("lock*"))
        (await client.borg("delete", f"{url}::big", version=version)).must()
        (await client.borg("compact", url, version=version)).must()
        assert paths.tree_bytes(transfer.info.path) < 10 * MB  # append_only = 1 kept all
        (await client.borg("check", url, version=version)).must()


def test_two_folders_are_no_repository(source: Path, tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    shutil.copytree(source, staging / "one")
    shutil.copytree(source, staging / "two")
    with pytest.raises(NotARepository, match="with a slash at its end"):
        verify(staging)


async def test_a_crash_while_a_folder_is_taken_away_is_made_good(
    house: House, source: Path
) -> None:
    transfer = await prepare(house, source)
    done = await push_folder(transfer, "--exclude=README")
    done.must()
    (await transfer.push("-a", f"--exclude=/{source.name}")).must()
    # as a crash leaves it: half of the entries are moved
    await asyncio.to_thread(transfer.staging.mkdir)
    shutil.copytree(source, transfer.staging / ".folder")
    (transfer.staging / ".folder" / "data").rename(transfer.staging / "data")
    settled = await transfer.switch(Mode.BORG)
    assert settled is not None
    assert settled.facts is not None
    assert content(transfer.info.path) == content(source)


async def test_a_deleted_repository_counts_no_more(house: House, source: Path) -> None:
    transfer = await prepare(house, source)
    await catalogue.set_repository(OPERATOR, transfer.info.id, quota_bytes=20 * MB)
    (await transfer.push("-a")).must()
    quota = (await quotas.uses(transfer.info.id))[0].quota
    assert await quotas.used(quota) > 2 * MB
    await trash.delete_repository(OPERATOR, transfer.info.id)
    assert await quotas.used(quota) == 0
