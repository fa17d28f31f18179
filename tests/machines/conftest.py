from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines.debian import STABLE, TESTING, System, system_tar


@pytest.fixture(params=[STABLE, TESTING])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> System:
    """A system on which nothing is installed."""
    return System.unpack(system_tar(request.param, tmp_path), tmp_path / "machine")


@pytest.fixture(autouse=True)
def _nothing_mounted_stays(tmp_path: Path) -> Iterator[None]:
    yield
    assert str(tmp_path) not in Path("/proc/mounts").read_text()
