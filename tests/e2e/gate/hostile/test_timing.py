"""Whether a login exists cannot be told from the answers, nor from how long they take."""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path

from tests.e2e.gate.hostile.handmade import FAILURE, handmade
from tests.e2e.gate.hostile.scene import open_scene

TRIES = 300


async def test_known_and_unknown_logins_get_the_same_answers_in_the_same_time(
    tmp_path: Path,
) -> None:
    async with open_scene(tmp_path, **{"ssh.max_tries": 10_000}) as scene:
        unknown = "".join(reversed(scene.login)) + "x"
        unknown = unknown[: len(scene.login)]
        took: dict[str, list[float]] = {scene.login: [], unknown: []}
        # One connection for both: what is compared differs in nothing but the name.
        async with handmade(scene.port) as connection:
            for _ in range(TRIES):
                for login in random.sample(list(took), 2):
                    began = time.perf_counter()
                    assert await connection.ask(login, scene.stranger, signed=False) == FAILURE
                    took[login].append(time.perf_counter() - began)
            methods = connection.methods
        assert methods == [b"publickey"]
        known, other = (statistics.median(took[login]) for login in (scene.login, unknown))
        # A query more would be half of the whole; noise of a busy machine is far less than this.
        assert abs(known - other) < 0.25 * min(known, other)
