"""Bytes both ways between an SSH channel and a child's pipes: counted, held back, never lost.

The relay writes to the pipes itself: asyncssh's own redirection was seen to lose the tail of an
upload when the child reads slower than the network. Backpressure goes both ways: a full pipe
stops the channel's window, a slow client stops the reading of the child.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import Protocol

from hive.borg.framing import ProtocolError
from hive.borg.observer import Observer
from hive.borg.request_filter import RequestFilter
from hive.borg.response_framer import ResponseFramer
from hive.process.child import Child

READ_BYTES = 256 * 1024
_WRITE_PARTS = 64  # what one writev takes; the kernel's limit is 1024
_STDERR = 1  # EXTENDED_DATA_STDERR


def _nothing() -> None:
    pass


class Channel(Protocol):
    """What the relay needs of asyncssh's channel."""

    def write(self, data: bytes, datatype: int | None = None) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...


class Relay:
    """Moves the bytes of one session.

    The session hands in what the channel delivers (`feed`, `feed_eof`, `pause_writing`,
    `resume_writing`, `client_gone`) and awaits `run`, which returns the child's exit status once
    the child has ended and everything that it said has left for the client.
    """

    def __init__(
        self,
        channel: Channel,
        child: Child,
        requests: RequestFilter | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.bytes_in = 0
        self.bytes_out = 0
        self.mark = 2**63  # call `on_mark` when more bytes than this have come in
        self.on_mark: Callable[[], None] = _nothing
        self._is_held = False
        self.protocol_error: ProtocolError | None = None
        self._channel: Channel | None = channel
        self._child = child
        self._requests = requests
        self._observer = observer
        self._framer = ResponseFramer(requests) if requests is not None else None
        self._has_answered = False  # itself, in the place of the child
        self._loop = asyncio.get_running_loop()
        self._to_child: deque[memoryview] = deque()
        self._eof = False
        self.stirred = asyncio.Event()  # something came from the client, be it its end
        # The child's outputs that have not ended -> what reads them.
        self._outputs = {child.stdout_fd: self._read_stdout, child.stderr_fd: self._read_stderr}
        self._outputs_ended = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self.over = asyncio.Event()

    async def run(self) -> int:
        """Relay until the child has ended and its output is delivered, or the client is gone."""
        try:
            return await self._run()
        finally:
            self.over.set()

    async def _run(self) -> int:
        self.resume_writing()
        status = await self._child.wait()
        await self._outputs_ended.wait()
        if self._channel is not None:
            # From here on "resumed" means that the last byte is out.
            self._channel.set_write_buffer_limits(high=0, low=0)
            await self._drained.wait()
        self._child.close()
        return status

    # client -> child

    def feed(self, data: bytes) -> None:
        """Take what the client sent."""
        self.bytes_in += len(data)
        self.stirred.set()
        if self.bytes_in > self.mark:
            self.on_mark()
        if self.protocol_error is not None:
            return
        if self._requests is None or self._requests.skip_payload(len(data)):
            self._pass(data)
            return
        try:
            filtered = self._requests.feed(data)
            for part in filtered.forward:
                self._pass(part)
            for notice in filtered.notices:
                self._notice(notice)
            if filtered.replies and self._framer is not None:
                self._has_answered = True
                self._send(self._framer.insert(filtered.replies))
        except ProtocolError as error:
            self._stop_for(error)

    @property
    def client_ended(self) -> bool:
        """Whether the client has ended its side, or is gone."""
        return self._eof or self._channel is None

    def feed_eof(self) -> None:
        """The client sends no more."""
        self._eof = True
        self.stirred.set()
        if self._observer is not None:
            self._observer.client_eof()
        if not self._to_child:
            self._child.close_stdin()

    def _pass(self, data: bytes) -> None:
        self._write(data)
        if self._observer is not None:
            self._observer.client(data)

    def _write(self, data: bytes) -> None:
        if self._child.stdin_fd < 0:
            return  # the child wants no more; the client learns it from the exit status
        if self._to_child:
            self._to_child.append(memoryview(data))
            return
        try:
            written = os.write(self._child.stdin_fd, data)
        except BlockingIOError:
            written = 0
        except BrokenPipeError:
            self._child.close_stdin()
            return
        if written < len(data):
            self._to_child.append(memoryview(data)[written:])
            self._pause_client()
            self._loop.add_writer(self._child.stdin_fd, self._write_more)

    def _write_more(self) -> None:
        parts = [self._to_child[i] for i in range(min(len(self._to_child), _WRITE_PARTS))]
        try:
            written = os.writev(self._child.stdin_fd, parts)
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._to_child.clear()
            self._child.close_stdin()
            self._resume_client()
            return
        while self._to_child and written >= len(self._to_child[0]):
            written -= len(self._to_child.popleft())
        if written:
            self._to_child[0] = self._to_child[0][written:]
        if not self._to_child:
            self._loop.remove_writer(self._child.stdin_fd)
            if self._eof:
                self._child.close_stdin()
            self._resume_client()

    def _answers_wait(self) -> bool:
        """Whether our own answers wait for a client that asks more and does not read."""
        return self._has_answered and not self._drained.is_set()

    def _pause_client(self) -> None:
        if self._channel is not None:
            self._channel.pause_reading()

    def _resume_client(self) -> None:
        waits = self._is_held or self._to_child or self._answers_wait()
        if self._channel is not None and not waits:
            self._channel.resume_reading()

    def hold(self) -> None:
        """Take nothing more from the client until `release`."""
        self._is_held = True
        self._pause_client()

    def release(self) -> None:
        self._is_held = False
        self._resume_client()

    # child -> client

    def _read_stdout(self) -> None:
        data = self._read(self._child.stdout_fd)
        if data is None:
            return
        if not data:
            self._output_ended(self._child.stdout_fd)
            return
        if self._observer is not None:
            self._observer.server(data)
        if self._framer is None:
            self._send([data])
        else:
            try:
                self._send(self._framer.feed(data))
            except ProtocolError as error:
                self._stop_for(error)

    def _read_stderr(self) -> None:
        data = self._read(self._child.stderr_fd)
        if data:
            if self._channel is not None:
                self._channel.write(data, _STDERR)
        elif data is not None:
            self._output_ended(self._child.stderr_fd)

    def _read(self, descriptor: int) -> bytes | None:
        """What is there now, empty at the end, None where nothing is there yet."""
        try:
            return os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _output_ended(self, descriptor: int) -> None:
        self._loop.remove_reader(descriptor)
        del self._outputs[descriptor]
        if not self._outputs:
            self._outputs_ended.set()

    def _notice(self, line: str) -> None:
        """Say something to the client's user, beside the protocol."""
        if self._channel is not None:
            self._channel.write(f"borg-hive: {line}.\n".encode("utf-8", "replace"), _STDERR)

    def _send(self, parts: list[bytes]) -> None:
        if self._channel is None:
            return
        for part in parts:
            self.bytes_out += len(part)
            self._channel.write(part)

    def pause_writing(self) -> None:
        """The client is slower than the child: read no more until it has caught up."""
        self._drained.clear()
        if self._answers_wait():
            self._pause_client()
        for descriptor in self._outputs:
            self._loop.remove_reader(descriptor)

    def resume_writing(self) -> None:
        self._drained.set()
        self._resume_client()
        for descriptor, read in self._outputs.items():
            self._loop.add_reader(descriptor, read)

    # endings

    def client_gone(self) -> None:
        """The channel is closed: drop what was meant for it, let the child's output run dry."""
        self._channel = None
        self.stirred.set()
        self.note_end()
        self.resume_writing()

    def note_end(self) -> None:
        """The session ends before its client ended it."""
        if self._observer is not None:
            self._observer.end()

    def _stop_for(self, error: ProtocolError) -> None:
        self.protocol_error = self.protocol_error or error
        self._to_child.clear()
        self._child.close_stdin()
        self._resume_client()
