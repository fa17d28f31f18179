"""One line for each thing that happened, on standard error, for people or for programs.

What a client sent may hold anything: hive/log_text.py makes it harmless, hive/log_lines.py makes
the lines.
"""

from __future__ import annotations

import logging
import sys
from contextlib import AbstractContextManager
from contextvars import Context
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

# asyncssh tells raw commands at INFO, the others every request and every query.
_QUIET = ("asyncssh", "aiohttp.access", "tortoise", "aiosqlite", "asyncio")

Format = Literal["text", "json"]


class _Logger:
    """Becomes the logger of structlog when something is logged: most commands log nothing."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._real: BoundLogger | None = None

    def __getattr__(self, attribute: str) -> Any:  # noqa: ANN401 - whatever structlog has
        if self._real is None:
            self._real = _lines().get(self._name)
        return getattr(self._real, attribute)


def get(name: str) -> BoundLogger:
    """The logger of a module: `log.get(__name__).info("ready", ssh=address)`."""
    return cast("BoundLogger", _Logger(name))


def _lines() -> ModuleType:
    from hive import log_lines  # noqa: PLC0415 - with structlog: only processes that log pay

    return log_lines


def context(
    *,
    session: str | int | None = None,
    repository: str | int | None = None,
    login: str | None = None,
    peer: str | None = None,
) -> AbstractContextManager[None]:
    """Everything logged inside, in this task and those it starts, names these."""
    given = {"session": session, "repository": repository, "login": login, "peer": peer}
    bound: AbstractContextManager[None] = _lines().bound(
        **{name: value for name, value in given.items() if value is not None}
    )
    return bound


def keep_context(context: Context) -> None:
    """Have the lines that are logged in `context` name what those of the caller name."""
    known = sys.modules.get("structlog.contextvars")
    if known is not None:  # else nothing has been named
        context.run(known.bind_contextvars, **known.get_contextvars())


class _Formatter(logging.Formatter):
    """Formats as hive/log_lines.py says, which is not imported before the first line."""

    def __init__(self, name: Format) -> None:
        super().__init__()
        self._name = name
        self._real: logging.Formatter | None = None

    def format(self, record: logging.LogRecord) -> str:
        if self._real is None:
            self._real = _lines().formatter(self._name)
        return self._real.format(record)


def configure(level: str = "info", format: Format = "text") -> None:  # noqa: A002
    """Sends every log line of the process to standard error; may be called again."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(format))
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if getattr(handler, "of_the_hive", False)]:
        root.removeHandler(old)
    handler.of_the_hive = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    threshold = logging.getLevelNamesMapping()[level.upper()]
    root.setLevel(threshold)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    logging.captureWarnings(capture=True)
