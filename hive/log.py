"""One line for each thing that happened, on standard error, for people or for programs.

What a client sent may hold anything. Here it becomes harmless: no value can start a line,
move the cursor or pretend to be another field.
"""

from __future__ import annotations

import logging
import re
import sys
from contextlib import AbstractContextManager
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

# What tells a line's subject: first in text, in this order.
_CONTEXT = ("session", "repository", "login", "peer")
_OWN_KEYS = ("timestamp", "level", "logger", "event", "exception")
_PLAIN = re.compile(r"[A-Za-z0-9_./:@+,%\[\]-]+")

# asyncssh tells raw commands at INFO, the others every request and every query.
_QUIET = ("asyncssh", "aiohttp.access", "tortoise", "aiosqlite", "asyncio")

Format = Literal["text", "json"]


def get(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module: `log.get(__name__).info("ready", ssh=address)`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def context(
    *,
    session: str | int | None = None,
    repository: str | int | None = None,
    login: str | None = None,
    peer: str | None = None,
) -> AbstractContextManager[None]:
    """Everything logged inside, in this task and those it starts, names these."""
    given = {"session": session, "repository": repository, "login": login, "peer": peer}
    return structlog.contextvars.bound_contextvars(
        **{name: value for name, value in given.items() if value is not None}
    )


def configure(level: str = "info", format: Format = "text") -> None:  # noqa: A002
    """Sends every log line of the process to standard error; may be called again."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(format))
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


def _formatter(format: Format) -> logging.Formatter:  # noqa: A002
    renderer: Processor = structlog.processors.JSONRenderer(default=repr, sort_keys=False)
    if format == "text":
        renderer = render_text
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *_shared()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            renderer,
        ],
    )


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def render_text(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """TIME LEVEL what happened name=value ... [logger]; a traceback follows, marked by bars."""
    head = f"{event.get('timestamp', '')} {str(event.get('level', '')).upper():<7}"
    names = [name for name in _CONTEXT if name in event]
    names += [name for name in event if name not in (*_CONTEXT, *_OWN_KEYS)]
    parts = [head, escape(str(event.get("event", "")))]
    parts += [f"{escape(str(name))}={show(event[name])}" for name in names]
    if logger := event.get("logger"):
        parts.append(f"[{escape(str(logger))}]")
    lines = [" ".join(parts)]
    if exception := event.get("exception"):
        lines += [f"    | {escape(line)}" for line in str(exception).split("\n")]
    return "\n".join(lines)


def escape(text: str) -> str:
    """`text` with everything that is not plainly visible written as an escape."""
    if text.isprintable():
        return text
    # of what cannot be printed, repr makes \n, \x1b, \u202e
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def show(value: object) -> str:
    """A value after its name: bare where nothing can be misread, else quoted as by repr."""
    text = value if isinstance(value, str) else str(value)
    if isinstance(value, bytes) or not _PLAIN.fullmatch(text):
        return escape(repr(value if isinstance(value, str | bytes) else text))
    return text


def _route() -> None:
    """Loggers of structlog speak through those of the standard library, from the first import.

    Without this, a line logged before `configure` would go to standard output.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


_route()
