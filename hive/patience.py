"""Blocking work that may never return, as on a file system whose server does not answer.

Each call has a separate thread that keeps nothing from ending: neither the threads that
everything else waits for, nor the process.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def begin(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[R]:
    """Call the function in a thread; the future has what it returns or raises, if it does."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[R] = loop.create_future()

    def settle(result: R | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
            future.exception()  # nobody may be waiting any longer
        else:
            future.set_result(result)  # type: ignore[arg-type]  # of this type where no error is

    def run() -> None:
        result, error = None, None
        try:
            result = function(*args, **kwargs)
        except BaseException as raised:  # noqa: BLE001 - it is raised where somebody waits
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="patience", daemon=True).start()
    return future


async def within(seconds: float, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What the function returns; TimeoutError where that takes longer."""
    future = begin(function, *args, **kwargs)
    done, _ = await asyncio.wait({future}, timeout=seconds)
    if not done:
        raise TimeoutError
    return future.result()
