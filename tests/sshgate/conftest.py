from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def repository(open_place: Path) -> Path:
    path = open_place / "login" / "name"
    path.mkdir(parents=True)
    (open_place / "state").mkdir()
    return path
