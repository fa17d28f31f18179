"""Peers that stall or send rubbish, and links where directories of the server should be."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hive.kinds import EndReason, Mode
from tests.e2e.gate.files import content, fingerprint
from tests.e2e.gate.harness import House, open_house, until
from tests.e2e.gate.hostile_rsync.outside import Hostile, look, make_outside
from tests.e2e.gate.transfers import prepare

PUSH = "rsync --server -logDtpre.iLsfxCIvu --timeout=99999 . ."


async def test_a_peer_that_says_nothing_is_left_after_a_time(tmp_path: Path, source: Path) -> None:
    async with open_house(tmp_path, **{"rsync.timeout_seconds": 1}) as house:
        transfer = await prepare(house, source)
        client = transfer.client
        silent = await client.start("ssh", *client.ssh_options(), transfer.target[:-1], PUSH)
        await until(house.has_running)
        _, err = await asyncio.wait_for(silent.communicate(), 20)
        assert silent.returncode not in {0, None}, err
        await until(house.is_quiet)
        assert (await house.last_session()).end_reason == EndReason.FAILED
        (await transfer.push("-a")).must()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.varied(3)
async def test_bits_that_turn_end_one_session_and_nothing_else(hostile: Hostile, seed: int) -> None:
    transfer = hostile.transfer
    before = fingerprint(transfer.info.path)
    (transfer.source / "README").write_text("another\n" * 1000)
    done = await hostile.push_disguised("-aW", "--ignore-times", flip=seed)
    await until(hostile.transfer.house.is_quiet)
    hostile.must_be_untouched(done)
    if done.status != 0 or "in place:" not in done.error:
        assert fingerprint(transfer.info.path) == before
    again = (await transfer.push("-a", "--checksum", "--delete")).must()
    assert "is in place" in again.error
    assert content(transfer.info.path) == content(transfer.source)


async def test_rubbish_is_no_protocol(house: House, source: Path) -> None:
    transfer = await prepare(house, source)
    done = await transfer.client.ssh(transfer.info.login, PUSH, data=b"\xff" * 100_000)
    assert done.status not in {0, 255}
    assert not any(transfer.staging.iterdir())
    (await transfer.push("-a")).must()


async def test_a_link_in_the_place_of_the_staging_directory_is_not_used(
    house: House, source: Path, tmp_path: Path
) -> None:
    outside = make_outside(tmp_path / "outside")
    before = look(outside)
    transfer = await prepare(house, source, filled=True)
    transfer.staging.symlink_to(outside)
    done = await transfer.push("-a", "--delete")
    assert done.status != 0
    assert "does not lie under its storage root" in done.error
    settled = await transfer.switch(Mode.BORG)
    assert settled is None or settled.facts is None
    assert look(outside) == before
