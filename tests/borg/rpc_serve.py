"""A client that speaks borg 1's protocol by hand, with a real borg serve behind the filter."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hive.borg import locks
from hive.borg.repository_path import PathRule
from hive.borg.request_filter import RequestFilter
from hive.borg.response_framer import ResponseFramer
from hive.borg.rpc_policy import Policy
from hive.kinds import Access
from tests.rpc_messages import CLIENT, RpcError, request, result, unpacker

SECONDS = 120.0  # a machine whose disk is busy lets a commit wait for it


class Serve:
    """`passed` counts what the filter let through to borg serve."""

    def __init__(
        self,
        borg: str,
        repository: Path,
        access: Access,
        in_the_way: Callable[[], str | None] = lambda: None,
    ) -> None:
        policy = Policy(
            name="alpha",
            path=str(repository),
            access=access,
            url="ssh://abcd1234@hive.example/./alpha",
            paths=PathRule(frozenset({"alpha"}), "abcd1234"),
            is_created=(repository / "config").exists(),
            in_the_way=in_the_way,
            is_locked=lambda: locks.is_locked(repository),
        )
        command = [borg, "serve", "--restrict-to-repository", str(repository)]
        if access != Access.FULL:
            command.append("--append-only")
        environment = {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(repository.parent),
            "BORG_HOST_ID": "server",  # otherwise it asks the network for the machine's name
            "BORG_SELFTEST": "disabled",
        }
        self.filter = RequestFilter(policy)
        self.passed = 0
        self._framer = ResponseFramer(self.filter)
        self._unpacker = unpacker()
        self._number = 0
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the session
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            bufsize=0,
            cwd=repository.parent,
            env=environment,
        )

    def __enter__(self) -> Serve:
        self.call("negotiate", client_data=CLIENT)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(SECONDS)
        self._process.stdout.close()
        self._said.close()

    def open(self, **arguments: object) -> Any:
        given = {"path": "/./alpha", "create": False, "lock_wait": 0.1, "lock": True}
        return self.call("open", **given | {"exclusive": True} | arguments)

    def call(self, method: str, **arguments: object) -> Any:
        self.send(method, **arguments)
        return self.answer()

    def send(self, method: str, **arguments: object) -> None:
        self._number += 1
        self.send_bytes(request(self._number, method, arguments))

    def send_bytes(self, data: bytes) -> None:
        assert self._process.stdin is not None
        filtered = self.filter.feed(data)
        for part in filtered.forward:
            self.passed += 1
            self._process.stdin.write(part)
        for reply in self._framer.insert(filtered.replies):
            self._unpacker.feed(reply)

    def answer(self) -> Any:
        assert self._process.stdout is not None
        while True:
            for content in self._unpacker:
                return result(content)
            ready, _, _ = select.select([self._process.stdout], [], [], SECONDS)
            if not ready:
                raise TimeoutError(f"no answer for {SECONDS} seconds: {self._last_words()}")
            data = os.read(self._process.stdout.fileno(), 65536)
            if not data:
                raise RpcError("End", f"the server said nothing more: {self._last_words()}")
            for part in self._framer.feed(data):
                self._unpacker.feed(part)

    def _last_words(self) -> str:
        self._said.seek(0)
        status = self._process.poll()
        return f"status {status}, {self._said.read()[-2000:].decode(errors='replace')!r}"
