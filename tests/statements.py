"""What reaches the database."""

from __future__ import annotations

from typing import Any

from tortoise.connection import get_connection


async def recorded() -> list[str]:
    """A list that holds each statement from now on."""
    found: list[str] = []
    client: Any = get_connection("default")
    await client._connection.set_trace_callback(found.append)
    return found
