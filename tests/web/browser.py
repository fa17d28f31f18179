from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp.test_utils import TestClient

PASSWORD = "correct horse battery"


@dataclass
class Answer:
    status: int
    headers: Any
    text: str

    @property
    def location(self) -> str:
        return str(self.headers.get("Location", ""))

    @property
    def cookie(self) -> str:
        return str(self.headers.get("Set-Cookie", ""))


class Browser:
    """Does what a browser does, but follows no redirect."""

    def __init__(self, client: TestClient[Any, Any]) -> None:
        self.client = client

    @property
    def origin(self) -> str:
        return str(self.client.make_url("/").origin())

    async def ask(self, method: str, path: str, **given: Any) -> Answer:
        given.setdefault("allow_redirects", False)
        async with self.client.request(method, path, **given) as response:
            return Answer(response.status, response.headers.copy(), await response.text())

    async def get(self, path: str, **given: Any) -> Answer:
        return await self.ask("GET", path, **given)

    async def post(self, path: str, fields: dict[str, str] | None = None) -> Answer:
        headers = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin"}
        return await self.ask("POST", path, data=fields or {}, headers=headers)

    async def log_in(self, name: str, password: str = PASSWORD, **fields: str) -> Answer:
        return await self.post("/login", {"name": name, "password": password, **fields})

    async def raw(self, request: str) -> str:
        """Send just these bytes; returns all that comes back."""
        reader, writer = await asyncio.open_connection(self.client.host, self.client.port)
        writer.write(request.encode())
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await writer.wait_closed()
        return answer.decode()

    @property
    def token(self) -> str | None:
        for cookie in self.client.session.cookie_jar:
            if cookie.key in ("hive", "__Host-hive") and cookie.value:
                return cookie.value
        return None

    def take_token(self, token: str) -> None:
        self.client.session.cookie_jar.update_cookies({"hive": token}, self.client.make_url("/"))


NewBrowser = Callable[..., Awaitable[Browser]]
