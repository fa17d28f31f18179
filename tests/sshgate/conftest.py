from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory that everybody can reach, unlike pytest's own."""
    place = Path(tempfile.mkdtemp(prefix="hive-test-", dir="/tmp"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.fixture
def repository(open_place: Path) -> Path:
    path = open_place / "login" / "name"
    path.mkdir(parents=True)
    (open_place / "state").mkdir()
    return path
