"""A web server that takes what the hive sends: a webhook, a heartbeat, ntfy, Gotify."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """A web server of its own that keeps what it got, and may hold an answer back."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.titles: dict[str, list[str]] = {}  # by path: the messages of ntfy and Gotify
        self.beats = 0
        self.tests = 0
        self.answers = threading.Event()
        self.answers.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                message = json.loads(self.rfile.read(length))
                if "kind" not in message:
                    receiver.titles.setdefault(self.path, []).append(message["title"])
                    self._answer_with({"id": "m1"})
                    return
                if message["kind"] == "test":  # a channel was added
                    receiver.tests += 1
                else:
                    receiver.messages.append(message)
                    receiver.answers.wait(20)
                self._answer()

            def do_GET(self) -> None:
                receiver.beats += 1
                self._answer()

            def _answer(self) -> None:
                self.send_response(204)
                self.end_headers()

            def _answer_with(self, answer: dict[str, str]) -> None:
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
