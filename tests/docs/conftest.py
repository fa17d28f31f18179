from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.installation import Installation


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An installation whose server is not started yet."""
    made = Installation(tmp_path)
    try:
        yield made
    finally:
        made.close()
