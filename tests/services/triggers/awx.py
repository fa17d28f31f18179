"""A real HTTP server that answers as AWX's documentation says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

TOKEN = "awx-token-5f1c0ffee5"


@dataclass
class FakeAwx:
    """Job template 7 takes variables and needs `host`; 8 takes none; the user may not use 9."""

    url: str = ""
    launches: list[dict[str, Any]] = field(default_factory=list)
    looks: int = 0
    job: dict[str, Any] = field(default_factory=lambda: {"id": 42, "status": "pending"})
    refuse_with: tuple[int, dict[str, Any], dict[str, str]] | None = None

    async def launch(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        template = request.match_info["id"]
        sent = await request.json() if request.can_read_body else {}
        variables = sent.get("extra_vars", {})
        if template == "9":
            said = "You do not have permission to perform this action."
            return web.json_response({"detail": said}, status=403)
        if template not in ("7", "8"):
            return web.json_response({"detail": "Not found."}, status=404)
        if template == "7" and "host" not in variables:
            missing = ["'host' value missing"]
            return web.json_response({"variables_needed_to_start": missing}, status=400)
        self.launches.append(sent)
        ignored = {"extra_vars": variables} if template == "8" and variables else {}
        return web.json_response(
            {"job": 42, "ignored_fields": ignored, "id": 42, "type": "job", "status": "pending"},
            status=201,
        )

    async def look(self, request: web.Request) -> web.Response:
        self.looks += 1
        if (refusal := self._refusal(request)) is not None:
            return refusal
        if request.match_info["id"] != str(self.job["id"]):
            return web.json_response({"detail": "Not found."}, status=404)
        return web.json_response({"type": "job", "job_explanation": "", **self.job})

    def _refusal(self, request: web.Request) -> web.Response | None:
        if self.refuse_with is not None:
            status, answer, headers = self.refuse_with
            return web.json_response(answer, status=status, headers=headers)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            # AWX does not repeat it; something in between may
            said = f"Authentication failed: {request.headers.get('Authorization')}"
            return web.json_response({"detail": said}, status=401)
        return None


@asynccontextmanager
async def serve(*routes: web.RouteDef) -> AsyncIterator[str]:
    """A web server on a free port; its URL."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serve_awx() -> AsyncIterator[FakeAwx]:
    awx = FakeAwx()
    async with serve(
        web.post("/api/v2/job_templates/{id}/launch/", awx.launch),
        web.get("/api/v2/jobs/{id}/", awx.look),
    ) as url:
        awx.url = url
        yield awx
