"""The listener of the web server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiohttp import web

from hive import listening
from hive.config.settings import WebSettings
from hive.config.values import Address
from hive.errors import HiveError, Unavailable
from hive.sentences import say
from web.connection import Connection
from web.door import Door

_BACKLOG = 100


class Server:
    """Accepts connections for an application. Make one, `listen`, and `stop` it in the end."""

    def __init__(self, app: web.Application, settings: WebSettings) -> None:
        self._settings = settings
        self._runner = web.AppRunner(app, access_log=None)
        self._listeners: list[asyncio.Server] = []
        self._addresses: list[Address] = []

    @property
    def address(self) -> Address:
        """Where it listens, by IPv4 where it can."""
        if not self._addresses:
            raise HiveError("The web server does not listen.")
        return self._addresses[0]

    @property
    def addresses(self) -> Sequence[Address]:
        """All of them."""
        return self._addresses

    @property
    def port(self) -> int:
        return self.address.port

    async def listen(self) -> None:
        """Begin to accept connections; Unavailable where an address cannot be had."""
        await self._runner.setup()
        handlers = self._runner.server
        if handlers is None:
            raise HiveError("The web server was not set up.")
        door = Door(self._settings)
        try:
            opened = await listening.open_sockets(
                self._settings.addresses, what=say("The web server"), backlog=_BACKLOG
            )
        except Unavailable:
            await self._runner.cleanup()
            raise
        self._addresses = [listening.shown_address([one]) for one in opened]
        for one in opened:
            listener = await asyncio.get_running_loop().create_server(
                lambda: Connection(door, handlers), sock=one, backlog=_BACKLOG
            )
            self._listeners.append(listener)

    async def stop(self) -> None:
        for listener in self._listeners:
            listener.close()
        await self._runner.cleanup()
