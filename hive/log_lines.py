"""What hive/log.py hands on to structlog, which takes longer to import than a command runs."""

from __future__ import annotations

import logging

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from hive.log_text import escape, show

# What tells a line's subject: first in text, in this order.
_CONTEXT = ("session", "repository", "login", "peer")
_OWN_KEYS = ("timestamp", "level", "logger", "event", "exception")


def get(name: str) -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


bound = structlog.contextvars.bound_contextvars


def formatter(format: str) -> logging.Formatter:  # noqa: A002
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
