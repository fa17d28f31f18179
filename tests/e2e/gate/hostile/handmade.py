"""A client that speaks the transport as it should, and whatever a test likes after that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, cast

import asyncssh
from asyncssh.connection import SSHClientConnection
from asyncssh.logging import SSHLogger
from asyncssh.packet import Boolean, Byte, NameList, SSHPacket, SSHPacketHandler, String, UInt32

USERAUTH_REQUEST, USERAUTH_FAILURE, USERAUTH_SUCCESS = 50, 51, 52
GLOBAL_REQUEST = 80
CHANNEL_OPEN, CHANNEL_OPEN_CONFIRMATION, CHANNEL_OPEN_FAILURE = 90, 91, 92
CHANNEL_ADJUST, CHANNEL_DATA, CHANNEL_EXTENDED_DATA = 93, 94, 95
CHANNEL_EOF, CHANNEL_CLOSE, CHANNEL_REQUEST, CHANNEL_SUCCESS, CHANNEL_FAILURE = 96, 97, 98, 99, 100

ANSWER_SECONDS = 10.0
FAILURE, SUCCESS, KEY_IS_GOOD, LOST, SILENCE = "failure", "success", "key is good", "lost", "-"


@dataclass(frozen=True)
class Message:
    """A packet of the server about a channel or a request; no channel's number in the body."""

    kind: int
    body: bytes


class _KeyAnswers(SSHPacketHandler):
    """Takes what the server says about a key."""

    def __init__(self, connection: HandmadeConnection) -> None:
        self._connection = connection

    @property
    def logger(self) -> SSHLogger:
        return self._connection.logger

    def process_packet(self, pkttype: int, pktid: int, packet: SSHPacket) -> bool:
        self._connection.answers.put_nowait(KEY_IS_GOOD)
        return True

    def cancel(self) -> None:
        pass


class _ChannelMessages(SSHPacketHandler):
    """Stands for a channel and passes on what the server says on it."""

    def __init__(self, connection: HandmadeConnection) -> None:
        self._connection = connection

    @property
    def logger(self) -> SSHLogger:
        return self._connection.logger

    def process_packet(self, pkttype: int, pktid: int, packet: SSHPacket) -> bool:
        self._connection.inbox.put_nowait(Message(pkttype, packet.get_remaining_payload()))
        return True

    def process_connection_close(self, exc: Exception | None) -> None:
        pass


class HandmadeConnection(SSHClientConnection):
    """asyncssh's client as far as the key exchange; the rest is sent by hand."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.answers: asyncio.Queue[str] = asyncio.Queue()
        self.methods: list[bytes] = []
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.raw_channels = False
        self.window: int | None = None  # what may still be sent, where a test keeps to it
        self.lost = asyncio.Event()
        self._held: list[bytes] | None = None

    # what asyncssh calls

    def try_next_auth(self, *, next_method: bool = False) -> None:
        self._auth = cast("Any", _KeyAnswers(self))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._wait = None

    def process_packet(self, pkttype: int, pktid: int, packet: SSHPacket) -> Any:
        if pkttype == USERAUTH_FAILURE:
            self.methods = list(packet.get_namelist())
            self.answers.put_nowait(FAILURE)
        elif pkttype == USERAUTH_SUCCESS:
            self._auth = None
            self._auth_in_progress = False
            self._auth_complete = True
            self._cancel_login_timer()
            self.answers.put_nowait(SUCCESS)
        elif self.raw_channels and pkttype >= CHANNEL_OPEN - 9:
            self.inbox.put_nowait(Message(pkttype, packet.get_remaining_payload()))
        else:
            return super().process_packet(pkttype, pktid, packet)
        return True

    def _cleanup(self, exc: Exception | None) -> None:
        self.answers.put_nowait(LOST)
        self.inbox.put_nowait(Message(0, b""))
        self.lost.set()
        super()._cleanup(exc)

    def _send(self, data: bytes) -> None:
        if self._held is None:
            super()._send(data)
        else:
            self._held.append(data)

    # what tests call

    @contextmanager
    def in_one_piece(self) -> Iterator[None]:
        """Everything that is sent in here arrives at once."""
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            super()._send(b"".join(held))

    async def answer(self, seconds: float = ANSWER_SECONDS) -> str:
        """What the server says to a try next, or SILENCE."""
        if self.lost.is_set() and self.answers.empty():
            return LOST
        try:
            async with asyncio.timeout(seconds):
                return await self.answers.get()
        except TimeoutError:
            return SILENCE

    async def ask(
        self,
        login: str | bytes,
        key: asyncssh.SSHKey,
        *,
        signed: bool = True,
        algorithm: bytes | None = None,
    ) -> str:
        self.send_key(login, key, signed=signed, algorithm=algorithm)
        return await self.answer()

    def send_key(
        self,
        login: str | bytes,
        key: asyncssh.SSHKey,
        *,
        signed: bool = True,
        algorithm: bytes | None = None,
        signature_by: asyncssh.SSHKey | None = None,
    ) -> None:
        """Offer a key for a login, with a signature or as a mere question."""
        algorithm = algorithm or key.sig_algorithms[0]
        body = b"".join(
            (
                String(login),
                String("ssh-connection"),
                String("publickey"),
                Boolean(signed),
                String(algorithm),
                String(key.public_data),
            )
        )
        if signed:
            message = String(self._session_id) + Byte(USERAUTH_REQUEST) + body
            body += String((signature_by or key).sign(message, algorithm))
        self.send_packet(USERAUTH_REQUEST, body)

    def send_method(self, login: str | bytes, method: str, *rest: bytes) -> None:
        self.send_packet(
            USERAUTH_REQUEST, String(login), String("ssh-connection"), String(method), *rest
        )

    def open_channel(
        self,
        number: int = 0,
        *,
        window: int = 2**31 - 1,
        packet: int = 32768,
        kind: str = "session",
    ) -> None:
        """Ask for a channel; from then on this end sees the bare messages."""
        self.raw_channels = True
        self._channels[number] = cast("Any", _ChannelMessages(self))
        self.send_packet(CHANNEL_OPEN, String(kind), UInt32(number), UInt32(window), UInt32(packet))

    def request(self, name: str, *body: bytes, number: int = 0, reply: bool = True) -> None:
        self.send_packet(CHANNEL_REQUEST, UInt32(number), String(name), Boolean(reply), *body)

    def execute(self, command: str | bytes, *, number: int = 0, reply: bool = True) -> None:
        self.request("exec", String(command), number=number, reply=reply)

    def send_data(self, data: bytes, number: int = 0) -> None:
        self.send_packet(CHANNEL_DATA, UInt32(number), String(data))

    def send_eof(self, number: int = 0) -> None:
        self.send_packet(CHANNEL_EOF, UInt32(number))

    def send_close(self, number: int = 0) -> None:
        self.send_packet(CHANNEL_CLOSE, UInt32(number))

    async def message(self, *kinds: int, seconds: float = ANSWER_SECONDS) -> Message:
        """The next message of one of these kinds; others are passed over."""
        async with asyncio.timeout(seconds):
            while True:
                message = await self.inbox.get()
                if message.kind == 0:
                    raise ConnectionResetError("the server has closed the connection")
                if not kinds or message.kind in kinds:
                    return message

    async def until_lost(self) -> None:
        async with asyncio.timeout(ANSWER_SECONDS):
            await self.lost.wait()

    def stop_reading(self) -> None:
        """Read no more from the socket: the peer's buffers fill."""
        assert self._transport is not None
        self._transport.pause_reading()

    def begin_rekey(self) -> None:
        """Begin an exchange of keys, which the caller may leave unfinished."""
        self._send_kexinit()
        self._kexinit_sent = True


def payload_of_kexinit(*, is_guess_sent: bool = False, **lists: list[bytes]) -> bytes:
    """The first message of a key exchange with these algorithms, in the order of the protocol."""
    names = ("kex", "host_key", "enc", "enc_back", "mac", "mac_back", "cmp", "cmp_back")
    defaults = {"cmp": [b"none"], "cmp_back": [b"none"]}
    parts = [NameList(lists.get(name, defaults.get(name, []))) for name in names]
    return b"".join(
        (
            Byte(20),
            bytes(16),
            *parts,
            NameList([]),
            NameList([]),
            Boolean(is_guess_sent),
            UInt32(0),
        )
    )


@asynccontextmanager
async def handmade(port: int, **options: Any) -> AsyncIterator[HandmadeConnection]:
    """A connection whose key exchange is done and that has not tried to log in."""
    loop = asyncio.get_running_loop()
    construct = asyncssh.SSHClientConnectionOptions.construct
    settings = await construct(
        host="127.0.0.1",
        port=port,
        known_hosts=None,
        config=None,
        agent_path=None,
        client_keys=None,
        username="nobody",
        keepalive_interval=0,
        **options,
    )
    settings.waiter = loop.create_future()
    _, connection = await loop.create_connection(
        lambda: HandmadeConnection(loop, settings, wait="auth"), "127.0.0.1", port
    )
    async with asyncio.timeout(ANSWER_SECONDS):
        await settings.waiter
    try:
        yield connection
    finally:
        connection.abort()
        await connection.wait_closed()
