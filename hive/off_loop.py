"""Work on foreign text, away from the event loop.

A few separate threads: however much text comes in, the threads that everything else waits for
(disk, processes) stay free. Python switches between threads only between two of its own steps,
so a function that runs here must not spend long in a single call into C: walk through long text
in windows (hive/services/reports/redaction.py shows how).
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_THREADS = 2  # more would only wait for each other: the work is Python's own
_executor = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="foreign-text")


async def off_loop(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call the function in one of the threads and return what it returns.

    Never call this inside a transaction: it waits for its turn.
    """
    call = functools.partial(function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_executor, call)
