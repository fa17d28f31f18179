from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hive.outgoing.client import Outgoing
from tests.notify.far_end import Certificate, FarEnd, far_end, make_certificate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
async def server() -> AsyncIterator[FarEnd]:
    async with far_end() as end:
        yield end


@pytest.fixture
async def outgoing() -> AsyncIterator[Outgoing]:
    """May ask this machine, which tests have to."""
    async with Outgoing(allowed_networks=["127.0.0.0/8"], timeout_seconds=5) as opened:
        yield opened
