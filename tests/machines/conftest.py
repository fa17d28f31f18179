from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines.debian import STABLE, TESTING, System, system_tar

# Testing changes every day: who wants a result that does not, names the suites.
SUITES = os.environ.get("HIVE_TEST_SUITES", f"{STABLE} {TESTING}").split()


@pytest.fixture(params=SUITES)
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[System]:
    """A system on which nothing is installed."""
    root = tmp_path / "machine"
    yield System.unpack(system_tar(request.param, tmp_path), root)
    assert str(root) not in Path("/proc/mounts").read_text()
    shutil.rmtree(root)  # a gigabyte
