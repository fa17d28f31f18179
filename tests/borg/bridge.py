"""What a client of the tests has as its remote shell: borg serve behind the filter.

Reads from the environment: BRIDGE_POLICY (JSON), BRIDGE_BORG, BRIDGE_RECORD (a file to write).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

from hive.borg import locks
from hive.borg.framing import ProtocolError
from hive.borg.repository_path import PathRule
from hive.borg.request_filter import RequestFilter
from hive.borg.response_framer import ResponseFramer
from hive.borg.rpc_policy import Policy
from hive.kinds import Access


class Bridge:
    def __init__(self, policy: Policy, command: list[str]) -> None:
        self.filter = RequestFilter(policy)
        self._framer = ResponseFramer(self.filter)
        self._to_client = threading.Lock()
        self.server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, cwd=policy.path
        )

    def run(self) -> int:
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        threading.Thread(target=self._answers, args=(self.server.stdout,)).start()
        try:
            self._requests(self.server.stdin)
        except ProtocolError as error:
            print(error.message, file=sys.stderr, flush=True)  # noqa: T201
        self.server.stdin.close()
        return self.server.wait(timeout=30)

    def _requests(self, server: IO[bytes]) -> None:
        while data := os.read(0, 65536):
            filtered = self.filter.feed(data)
            for part in filtered.forward:
                write(server.fileno(), part)
            for notice in filtered.notices:
                print(notice, file=sys.stderr, flush=True)  # noqa: T201
            if filtered.replies:
                with self._to_client:
                    for part in self._framer.insert(filtered.replies):
                        write(1, part)

    def _answers(self, server: IO[bytes]) -> None:
        while data := os.read(server.fileno(), 65536):
            with self._to_client:
                for part in self._framer.feed(data):
                    write(1, part)


def write(descriptor: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BrokenPipeError:
            return


def main() -> None:
    told = json.loads(os.environ["BRIDGE_POLICY"])
    path, access = Path(told["path"]), Access(told["access"])
    policy = Policy(
        name="alpha",
        path=str(path),
        access=access,
        url=told["url"],
        paths=PathRule(
            frozenset({"alpha", "Alpha"}),
            "abcd1234",
            accepts_former=told["accepts_former"],
            others=frozenset({"beta"}),
        ),
        is_created=(path / "config").exists(),
        is_locked=lambda: locks.is_locked(path),
    )
    serve = [os.environ["BRIDGE_BORG"], "serve", "--restrict-to-repository", policy.path]
    if access != Access.FULL:
        serve.append("--append-only")
    bridge = Bridge(policy, serve)
    status = bridge.run()
    seen = bridge.filter
    record = {
        "client_version": seen.client_version,
        "opened": seen.opened,
        "requested_path": seen.requested_path,
        "create": seen.create,
        "exclusive": seen.exclusive,
        "refused_methods": seen.refused_methods,
        "former_path": seen.former_path,
    }
    Path(os.environ["BRIDGE_RECORD"]).write_text(json.dumps(record))
    sys.exit(status)


if __name__ == "__main__":
    main()
