"""The heartbeat: the server calls somebody who notices when it no longer does.

It is sent only while gate, database and scheduler are well, so that a server that hangs is as
silent as one that is dead.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hive import clock, files, log
from hive.config.settings import HeartbeatSettings
from hive.errors import OutgoingFailed
from hive.services import runtime
from hive.services.checks import Check

if TYPE_CHECKING:
    from hive.outgoing.client import Outgoing

logger = log.get(__name__)


@dataclass(frozen=True)
class Beat:
    """How the last one went; `problem` is None where it arrived."""

    at: datetime
    problem: str | None


async def beat(
    settings: HeartbeatSettings,
    problems: Callable[[], Awaitable[list[str]]],
    outgoing: Outgoing,
) -> Beat | None:
    """Send one, where a URL is set and the server is well; what came of it is kept for doctor."""
    if settings.url is None:
        return None
    ill = await problems()
    if ill:
        result = Beat(clock.now(), f"not sent: {', '.join(ill)} not well")
    else:
        result = Beat(clock.now(), await _send(settings, outgoing))
    if result.problem is not None:
        logger.warning("heartbeat", reason=result.problem)
    try:
        await asyncio.to_thread(_keep, result)
    except OSError as error:  # a full disk is no reason to fall silent
        logger.error("the heartbeat is not kept for doctor", reason=str(error))
    return result


def _keep(result: Beat) -> None:
    """In one step: doctor may read it just now."""
    kept = json.dumps({"at": clock.rfc3339(result.at), "problem": result.problem})
    files.replace(_file(), kept.encode())


async def _send(settings: HeartbeatSettings, outgoing: Outgoing) -> str | None:
    if settings.url is None:
        return "no URL is set"
    try:
        answer = await outgoing.request(settings.method, settings.url.get_secret_value())
    except OutgoingFailed as error:
        return error.message
    return None if answer.ok else f"the far end answered {answer.status}"


def _file() -> Path:
    return runtime.paths().run / "heartbeat.json"


def findings() -> list[Check]:
    """What `hive doctor` says of it."""
    settings = runtime.settings().heartbeat
    if settings.url is None:
        return []
    try:
        kept = json.loads(_file().read_text())
        at = datetime.fromisoformat(kept["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return [Check("warning", "Heartbeat", "None was sent yet", "Start the server.")]
    if clock.now() - at > timedelta(seconds=2 * settings.interval_seconds + 60):
        message = f"The last one was sent at {kept['at']}"
        return [Check("warning", "Heartbeat", message, "Start the server.")]
    if kept.get("problem"):
        message = f"The last one, {kept.get('at')}, did not arrive: {kept['problem']}"
        return [Check("warning", "Heartbeat", message, "Look at heartbeat.url.")]
    return [Check("ok", "Heartbeat", f"The last one arrived at {kept.get('at')}")]
