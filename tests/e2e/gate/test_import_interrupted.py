"""Imports that are cut off, resumed, switched away from, or found half done after a crash."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from hive.errors import Conflict
from hive.kinds import EndReason, Mode
from hive.models import Repository, TrashEntry
from hive.services import events
from hive.services.lifecycle import imports
from hive.services.permissions import OPERATOR
from hive.services.repositories import infos as repository_infos
from hive.services.repositories import maintenance
from hive.services.storage import paths, preparing
from tests.e2e.gate.files import content, fingerprint, noise
from tests.e2e.gate.harness import House, until
from tests.e2e.gate.transfers import Transfer, largest_segment, prepare, statistics
from tests.programs import rsync_command

SLOW = "--bwlimit=600"  # KiB/s: the source takes some seconds


def staged_bytes(transfer: Transfer) -> int:
    return paths.tree_bytes(transfer.staging)


async def begin(
    transfer: Transfer, *options: str, most: int = 600_000
) -> asyncio.subprocess.Process:
    """A client in the middle of its upload."""
    client = transfer.client
    process = await client.start(
        rsync_command(),
        "-a",
        SLOW,
        *options,
        "-e",
        client.remote_shell,
        f"{transfer.source}/",
        transfer.target,
    )

    async def under_way() -> bool:
        return staged_bytes(transfer) > most

    await until(under_way)
    return process


async def cut_off(process: asyncio.subprocess.Process) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    await process.communicate()


@pytest.mark.long
@pytest.mark.parametrize(
    "options", [[], ["--partial"], ["--inplace"]], ids=["-a", "-aP", "inplace"]
)
async def test_an_import_that_was_cut_off_goes_on_where_it_was(
    house: House, source: Path, options: list[str]
) -> None:
    transfer = await prepare(house, source)
    process = await begin(transfer, *options, most=1_200_000)
    await cut_off(process)
    await until(house.is_quiet)
    session = await house.last_session()
    assert session.end_reason == EndReason.CLIENT_GONE
    assert not transfer.info.path.joinpath("config").exists()
    again = (await transfer.push("-a", "--stats", *options)).must()
    assert statistics(again)["Literal data"] < 1_700_000  # of 2.5 MB
    assert content(transfer.info.path) == content(source)


@pytest.mark.long
async def test_a_mode_that_is_switched_away_ends_rsync_and_leaves_the_rest_staged(
    house: House, source: Path
) -> None:
    transfer = await prepare(house, source)
    process = await begin(transfer, "--partial")
    settled = await transfer.switch(Mode.BORG)
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert b"this session was ended" in err
    assert process.returncode not in {0, None}
    assert settled is not None
    assert settled.facts is None
    assert "not complete" in (settled.problem or "")
    assert staged_bytes(transfer) > 0
    assert (await transfer.now()).maintenance is None
    url = transfer.info.url
    (await transfer.borg("init", "-e", "none", url)).must()

    again = await transfer.switch(Mode.BORG)
    assert again is not None
    assert again.facts is None
    assert await transfer.switch(Mode.IMPORT) is None
    done = (await transfer.push("-a", "--stats")).must()
    assert statistics(done)["Literal data"] < 2_200_000
    assert content(transfer.info.path) == content(source)


async def test_a_dry_run_puts_nothing_in_place(house: House, source: Path) -> None:
    transfer = await prepare(house, source)
    await cut_off(await begin(transfer, "--partial"))
    await until(house.is_quiet)
    tried = (await transfer.push("-an", "--stats")).must()
    assert "borg-hive" not in tried.error
    assert (await house.last_session()).operation == "dry run"
    settled = await transfer.switch(Mode.BORG)
    assert settled is not None
    assert settled.facts is None


async def test_a_segment_that_was_left_out_is_missed(house: House, source: Path) -> None:
    transfer = await prepare(house, source)
    large = largest_segment(source).name
    done = (await transfer.push("-a", f"--exclude=/data/0/{large}")).must(23)
    assert f"number {large}" in done.error
    assert not (transfer.info.path / "config").exists()
    done = (await transfer.push("-a")).must()
    assert "The import is in place" in done.error


async def test_a_file_over_the_limit_is_not_missed_in_silence(house: House, source: Path) -> None:
    transfer = await prepare(house, source)
    object.__setattr__(house.gate.host.settings.rsync, "max_file_bytes", 1_200_000)
    large = largest_segment(source)
    os.truncate(large, 2**40)
    done = (await transfer.push("-aS")).must(23)
    assert f"number {large.name}" in done.error
    assert staged_bytes(transfer) < 3_000_000


async def test_an_import_over_a_repository_keeps_the_former_in_the_trash(
    house: House, source: Path, made_repository: Path, tmp_path: Path
) -> None:
    transfer = await prepare(house, source, mode=Mode.BORG)
    url = transfer.info.url
    (await transfer.borg("init", "-e", "none", url)).must()
    (tmp_path / "small").write_bytes(noise(10_000))
    (await transfer.borg("create", f"{url}::old", tmp_path / "small")).must()
    former = fingerprint(transfer.info.path)
    await transfer.switch(Mode.IMPORT)
    (await transfer.push("-a")).must()
    entry = await TrashEntry.get(repository_id=transfer.info.id)
    assert entry.reason == "replaced by an import"
    assert fingerprint(Path(entry.path)) == former
    assert content(transfer.info.path) == content(made_repository)


async def stage(transfer: Transfer) -> paths.Place:
    """An import that waits to be put in place, without a session."""
    row = await Repository.get(id=transfer.info.id).select_related("location")
    where = repository_infos.place_of(row)
    await asyncio.to_thread(preparing.prepare, where, None, staging=True)
    transfer.source.rename(where.staging / "all")
    for path in (where.staging / "all").iterdir():
        path.rename(where.staging / path.name)
    (where.staging / "all").rmdir()
    return where


@pytest.mark.parametrize("moment", ["noted", "moved", "replaced"])
async def test_a_crash_between_the_renames_is_made_good(
    house: House, source: Path, made_repository: Path, moment: str
) -> None:
    transfer = await prepare(house, source, filled=True)
    (transfer.info.path / "README").write_text("former")
    where = await stage(transfer)
    await maintenance.begin(transfer.info.id, maintenance.PUTTING_IN_PLACE)
    target = await imports._note_trashed(transfer.info.id, where)
    if moment != "noted":
        paths.move_to_trash(where, where.repository, target)
    if moment == "replaced":
        where.staging.rename(where.repository)
    await imports.recover()
    assert content(transfer.info.path) == content(made_repository)
    entries = await TrashEntry.filter(repository_id=transfer.info.id)
    assert [Path(entry.path) for entry in entries] == [target]
    assert (target / "README").read_text() == "former"
    now = await transfer.now()
    assert (now.maintenance, now.state) == (None, "ready")
    assert "import verified" in [event.kind for event in await events.recent(OPERATOR)]


async def test_what_a_killed_server_was_verifying_is_settled_by_setting_the_mode(
    house: House, source: Path, made_repository: Path
) -> None:
    transfer = await prepare(house, source)
    await stage(transfer)
    await maintenance.begin(transfer.info.id, maintenance.VERIFYING)
    refused = await transfer.push("-a")
    assert "busy: an import is being verified" in refused.error
    await imports.recover()
    settled = await transfer.switch(Mode.BORG)
    assert settled is not None
    assert settled.facts is not None
    assert content(transfer.info.path) == content(made_repository)


async def test_a_mode_switch_waits_for_the_verification_that_is_under_way(
    house: House, source: Path
) -> None:
    transfer = await prepare(house, source)
    await stage(transfer)
    results = await asyncio.gather(
        imports.finish_import(transfer.info.id),
        transfer.switch(Mode.BORG),
        transfer.switch(Mode.EXPORT),
        return_exceptions=True,
    )
    assert not [result for result in results if isinstance(result, BaseException)] or (
        isinstance(results[0], Conflict)
    )
    assert (transfer.info.path / "config").exists()
    assert not transfer.staging.exists()
    assert (await transfer.now()).maintenance is None
