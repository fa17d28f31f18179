from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hive.notify.channel import Means
from hive.outgoing.client import Outgoing
from hive.services.delivery.courier import Courier
from tests.notify.far_end import FarEnd, far_end


@pytest.fixture
async def server() -> AsyncIterator[FarEnd]:
    async with far_end() as end:
        yield end


@pytest.fixture
async def means() -> AsyncIterator[Means]:
    async with Outgoing(allowed_networks=["127.0.0.0/8"], timeout_seconds=2) as outgoing:
        yield Means(outgoing=outgoing)


@pytest.fixture
def courier(means: Means) -> Courier:
    return Courier(means)
