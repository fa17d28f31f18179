"""The listener of the web server."""

from __future__ import annotations

import asyncio

from aiohttp import web

from hive.config.settings import WebSettings
from hive.errors import HiveError, Unavailable
from web.connection import Connection
from web.door import Door

_BACKLOG = 100


class Server:
    """Accepts connections for an application. Make one, `listen`, and `stop` it in the end."""

    def __init__(self, app: web.Application, settings: WebSettings) -> None:
        self._settings = settings
        self._runner = web.AppRunner(app, access_log=None)
        self._listener: asyncio.Server | None = None

    @property
    def port(self) -> int:
        if self._listener is None:
            raise HiveError("The web server does not listen.")
        return int(self._listener.sockets[0].getsockname()[1])

    async def listen(self) -> None:
        """Begin to accept connections; Unavailable where the address cannot be had."""
        await self._runner.setup()
        handlers = self._runner.server
        if handlers is None:
            raise HiveError("The web server was not set up.")
        door = Door(self._settings)
        address = self._settings.address
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                lambda: Connection(door, handlers), address.host, address.port, backlog=_BACKLOG
            )
        except OSError as error:
            await self._runner.cleanup()
            raise Unavailable(
                "The web server cannot listen on %(address)s: %(error)s.",
                address=address,
                error=error,
            ) from error

    async def stop(self) -> None:
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()
