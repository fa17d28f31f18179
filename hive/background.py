"""Background tasks: they outlive the call that starts them, and never join its transaction.

`spawn` is the only way to start one. hive.database runs its transactions as such tasks, and waits
for all of them before it closes. They belong to the process and not to what its services remember
(hive/memory.py), which is dropped after the last of them has ended.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from hive import log

R = TypeVar("R")

logger = log.get(__name__)

tasks: set[asyncio.Task[Any]] = set()  # all that run
# What is called when the running transaction is committed; None outside of one.
waiting_for_commit: contextvars.ContextVar[list[Callable[[], None]] | None] = (
    contextvars.ContextVar("hive_after_commit", default=None)
)
_base_context: contextvars.Context | None = None


def begin_in(context: contextvars.Context | None) -> None:
    """Start each task in a copy of this context, which knows of no transaction."""
    global _base_context  # noqa: PLW0603 - one database for the process
    _base_context = context


def spawn(coroutine: Coroutine[Any, Any, R], *, name: str) -> asyncio.Task[R]:
    """Start a background task that never joins the caller's transaction."""
    context = _base_context.copy() if _base_context is not None else contextvars.copy_context()
    context.run(waiting_for_commit.set, None)
    log.keep_context(context)  # its log lines still name the session that started it
    return keep(asyncio.create_task(coroutine, name=name, context=context))  # noqa: TID251


async def unbroken(coroutine: Coroutine[Any, Any, R], *, name: str) -> R:
    """Await work of several steps that the caller's cancellation must not stop half way."""
    return await asyncio.shield(spawn(coroutine, name=name))


def keep(task: asyncio.Task[R]) -> asyncio.Task[R]:
    """Hold a task until it has ended: the loop itself may lose one that nobody refers to."""
    tasks.add(task)
    task.add_done_callback(_finished)
    return task


def _finished(task: asyncio.Task[Any]) -> None:
    tasks.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.debug("background task failed", task=task.get_name(), error=repr(error))
