from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hive.kinds import Mode
from hive.services.programs import SAFE_RSYNC, find_program
from tests.gate.harness import open_house
from tests.gate.hostile_rsync.outside import Hostile, look, make_outside
from tests.gate.transfers import prepare
from tests.programs import rsync_command


@pytest_asyncio.fixture(params=[True, False], ids=["landlock", "without"])
async def hostile(
    request: pytest.FixtureRequest, tmp_path: Path, source: Path
) -> AsyncIterator[Hostile]:
    """An import over a repository, with Landlock and with the rules for rsync alone."""
    rsync = find_program(rsync_command(), "--version")
    if not request.param and (rsync is None or rsync.version < SAFE_RSYNC):
        pytest.skip("without Landlock the gate refuses an rsync below 3.5: tests/sshgate/test_plan")
    outside = make_outside(tmp_path / "outside")
    async with open_house(tmp_path, landlock=request.param) as house:
        transfer = await prepare(house, source, mode=Mode.IMPORT, filled=True)
        yield Hostile(transfer, outside, look(outside))
