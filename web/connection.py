"""One connection of the web server: a deadline for each step, and the limits of the door.

aiohttp has no hook for new connections and one timer only, for connections between requests. So
this protocol stands between the transport and aiohttp's own: it passes everything on and ends
what takes too long. A middleware tells it when a request is complete and when it was answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from http import HTTPStatus
from typing import cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from web.app_keys import ADDRESS, Handler
from web.door import Door

_CLOSE_SECONDS = 5.0  # for the last bytes, before the connection is cut
_PROXY_IDLE_SECONDS = 3600.0  # proxies keep connections open and want to end them themselves


class _Step(Enum):
    WAITING = auto()  # for the first byte of a request
    HEADER = auto()
    REQUEST = auto()
    CLOSING = auto()


class Connection(asyncio.Protocol):
    """Passes bytes between the transport and aiohttp, as long as everything is in time."""

    def __init__(self, door: Door, make_handler: Callable[[], RequestHandler]) -> None:
        self.source = ""
        self._door = door
        self._settings = door.settings
        self._make_handler = make_handler
        self._handler: RequestHandler | None = None
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._step = _Step.WAITING
        self._is_proxy = False
        self._request: web.BaseRequest | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether it has no complete request, body included."""
        return self._request is None or not self._request.content.is_eof()

    # --- what the transport calls -----------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        name = transport.get_extra_info("peername")
        peer = str(name[0]) if name else "unknown"  # it is gone already
        refusal = self._door.let_in(self, peer)
        if refusal is not None:
            self._close_with(HTTPStatus.SERVICE_UNAVAILABLE, refusal)
            return
        self._is_proxy = self._door.is_proxy(peer)
        self._handler = self._make_handler()
        self._door.note_idle(self)
        self._arm(self._settings.first_byte_seconds)
        self._handler.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._handler is None or self._step is _Step.CLOSING:
            return
        if self._step is _Step.WAITING:
            self._step = _Step.HEADER
            self._arm(self._settings.header_seconds)
        self._handler.data_received(data)

    def eof_received(self) -> None:
        if self._handler is not None:
            self._handler.eof_received()

    def pause_writing(self) -> None:
        self._stalled = self._loop.call_later(self._settings.stall_seconds, self.end)
        if self._handler is not None:
            self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._stop_stalled()
        if self._handler is not None:
            self._handler.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.leave(self)
        self._stop_timer()
        self._stop_stalled()
        if self._handler is not None:
            self._handler.connection_lost(exc)
        self._transport = None

    # --- what the application tells ---------------------------------------------------------

    @contextmanager
    def serving(self, request: web.BaseRequest) -> Iterator[bool]:
        """The header is complete; False where the visitor behind a proxy has too many requests."""
        self._step = _Step.REQUEST
        self._request = request
        if request.content.is_eof():
            self._door.note_busy(self)
        self._arm(self._settings.body_seconds, lambda: self._check_body(request))
        visitor = request[ADDRESS] if self._is_proxy else None
        is_counted = visitor is not None and self._door.begin_request(visitor)
        try:
            yield visitor is None or is_counted
        finally:
            self._request = None
            if is_counted and visitor is not None:
                self._door.end_request(visitor)
            if self._step is _Step.REQUEST:
                self._step = _Step.WAITING
                self._door.note_busy(self)
                self._door.note_idle(self)  # from now on
                idle = float(self._settings.keepalive_seconds)
                self._arm(_PROXY_IDLE_SECONDS if self._is_proxy else idle)

    # --- deadlines --------------------------------------------------------------------------

    def _arm(self, seconds: float, then: Callable[[], None] | None = None) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(seconds, then or self._too_late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_stalled(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _too_late(self) -> None:
        if self._step is _Step.HEADER:
            self._close_with(HTTPStatus.REQUEST_TIMEOUT, "The request took too long.")
        else:
            self.end()

    def _check_body(self, request: web.BaseRequest) -> None:
        self._timer = None
        if not request.content.is_eof():
            self._close_with(HTTPStatus.REQUEST_TIMEOUT, "The request took too long.")

    def _close_with(self, status: HTTPStatus, words: str) -> None:
        """Answer in words, in a moment that aiohttp knows nothing of, and close."""
        self._step = _Step.CLOSING
        self._stop_timer()
        if self._transport is None or self._transport.is_closing():
            self.end()
            return
        body = f"{words}\n".encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nRetry-After: 10\r\nConnection: close\r\n\r\n"
        )
        self._transport.write(head.encode() + body)
        self._transport.close()
        self._arm(_CLOSE_SECONDS, self.end)

    def end(self) -> None:
        """Cut the connection, whatever is still to be sent: the peer takes nothing."""
        self._step = _Step.CLOSING
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()


@web.middleware
async def keep_deadlines(request: web.Request, handler: Handler) -> web.StreamResponse:
    transport = request.transport
    connection = transport.get_protocol() if transport is not None else None
    if not isinstance(connection, Connection):  # gone already, or a server of another kind
        return await handler(request)
    with connection.serving(request) as is_admitted:
        if not is_admitted:
            return web.Response(
                status=HTTPStatus.TOO_MANY_REQUESTS,
                text="There are too many requests from your address at the same time.\n",
                headers={"Retry-After": "10"},
            )
        return await handler(request)
