"""What happens to a test that hangs: see the hooks in conftest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.programs import CHECKOUT

HANGING = """
import asyncio
import pytest

@pytest.fixture
async def stuck():
    yield
    await asyncio.Event().wait()

async def listen_for_ever():
    await asyncio.Event().wait()

async def test_hangs(stuck):
    kept = asyncio.create_task(listen_for_ever())
    await asyncio.Event().wait()

async def test_goes_on():
    await asyncio.sleep(0)
"""


def test_a_test_that_hangs_fails_with_its_stacks_and_the_next_one_runs(tmp_path: Path) -> None:
    (tmp_path / "test_hanging.py").write_text(HANGING)
    options = ["-c", str(CHECKOUT / "pyproject.toml"), "--rootdir", str(tmp_path), "--timeout=2"]
    plugins = ["-p", "tests.conftest", "-p", "no:xdist", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *plugins, tmp_path / "test_hanging.py"],
        check=False,
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        timeout=120,
    )
    assert "1 failed, 1 passed, 1 error" in done.stdout, (done.stdout[-3000:], done.stderr)
    assert done.stdout.count("Timeout (>2.0s)") >= 2  # the test, and its cleaning up
    assert "in listen_for_ever" in done.stdout
