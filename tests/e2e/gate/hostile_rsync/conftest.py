from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hive.kinds import Mode
from hive.services.programs.discovery import SAFE_RSYNC, find_program
from tests import ordinary
from tests.e2e.gate.harness import open_house
from tests.e2e.gate.hostile_rsync.outside import Hostile, look, make_outside
from tests.e2e.gate.transfers import prepare
from tests.programs import rsync_command

# Each way to confine by itself, and none. What keeps Landlock alone from being enough for root
# (it does not know chmod and utime) are the rules for rsync.
WAYS = {
    "all": {},
    "landlock": {"child.mount_namespace": False, "child.allow_root": True},
    "mounts": {"child.landlock": False},
    "none": {
        "child.landlock": False,
        "child.mount_namespace": False,
        "child.allow_root": True,
    },
}


@pytest_asyncio.fixture(params=WAYS)
async def hostile(
    request: pytest.FixtureRequest, tmp_path: Path, source: Path
) -> AsyncIterator[Hostile]:
    """An import over a repository, confined in one way; the rules for rsync hold in each."""
    rsync = find_program(rsync_command(), "--version")
    if request.param == "none" and (rsync is None or rsync.version < SAFE_RSYNC):
        pytest.skip("the gate refuses an rsync below 3.5 then: tests/sshgate/test_plan")
    if request.param == "mounts" and not ordinary.has_mounts():
        pytest.skip("no mount namespaces here")
    outside = make_outside(tmp_path / "outside")
    async with open_house(tmp_path, **WAYS[request.param]) as house:
        transfer = await prepare(house, source, mode=Mode.IMPORT, filled=True)
        yield Hostile(transfer, outside, look(outside))
