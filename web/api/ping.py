"""Reports of clients: /ping/<token>[/start|/log|/fail|/<exit status>], as healthchecks takes them,
with the other names that cronitor uses, and /api/push/<token> as Uptime Kuma takes it.

The token is the right to report, and to nothing else. GET reports too: that is what these
clients do. A body may have any size: its beginning and its end are kept, and a body that breaks
off or never ends is no reason to lose the report that it came with.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import ClientPayloadError, web

from hive import memory
from hive.errors import Forbidden
from hive.excerpt import Excerpt
from hive.off_loop import off_loop
from hive.services.reports import reports, tokens
from hive.services.reports.reports import Report, ReportKind
from web.access import public
from web.app_keys import ADDRESS

PING = r"/ping/{token:/*[^/]+}{rest:(?:/.*)?}"
PUSH = r"/api/push/{token:[^/]+}"
HEAD_BYTES = 64 * 1024
TAIL_BYTES = 1024 * 1024
BODY_SECONDS = 60.0
MAX_READERS = 32  # bodies that are kept at the same time; of more, the report counts alone

_KINDS = {
    "": ReportKind.FINISH,
    "complete": ReportKind.FINISH,
    "start": ReportKind.START,
    "run": ReportKind.START,
    "log": ReportKind.LOG,
    "fail": ReportKind.FAIL,
}
_WORDS = {"start": ReportKind.START, "fail": ReportKind.FAIL}
_SHORT = 4096  # bytes that are decoded at once
_SAYS_NOTHING = ("start", "finish", "fail", "OK")


@dataclass
class _Memory:
    readers: int = 0


class Kept(Excerpt):
    """What is kept of a body, in whole lines."""

    def __init__(self, *, is_wanted: bool = True) -> None:
        size = (HEAD_BYTES, TAIL_BYTES) if is_wanted else (0, 0)
        super().__init__(*size, whole_lines=True)


@public
async def ping(request: web.Request) -> web.Response:
    parts = [part for part in request.match_info["rest"].split("/") if part]
    word = parts[0] if parts else ""
    kind, status = _KINDS.get(word), None
    if word.isascii() and word.isdigit():
        status = int(word[:4])
        kind = ReportKind.FAIL if status else ReportKind.FINISH
    if kind is None or len(parts) > 1:
        return web.Response(status=404, text="not found\n")
    if status is not None and status > 255:
        return web.Response(status=400, text="An exit status is 0 to 255.\n")
    try:
        admitted = await tokens.admit(request.match_info["token"].strip("/"), request[ADDRESS])
    except Forbidden as error:
        return web.Response(status=429, text=f"{error.message}\n", headers={"Retry-After": "60"})
    if admitted is None:
        return web.Response(status=404, text="not found\n")
    with _Reading() as body:
        await _read(request, body)
        await reports.receive(admitted, await _report(request, kind, body, status))
    answer = web.Response(text="OK", headers={"Ping-Body-Limit": str(HEAD_BYTES + TAIL_BYTES)})
    if not request.content.at_eof():
        answer.force_close()  # a client that sends forever is cut off
    return answer


@public
async def push(request: web.Request) -> web.Response:
    """`up` is success only where it does not say that something starts."""
    try:
        admitted = await tokens.admit(request.match_info["token"].strip("/"), request[ADDRESS])
    except Forbidden as error:
        return web.json_response({"ok": False, "msg": error.message}, status=429)
    if admitted is None:
        return web.json_response({"ok": False, "msg": "not found"}, status=404)
    word = request.query.get("msg", "").strip()[:2000]
    kind = _WORDS.get(word, ReportKind.FINISH)
    if request.query.get("status", "up") != "up":
        kind = ReportKind.FAIL
    body = Kept()
    body.add(b"" if word in _SAYS_NOTHING else word.encode(errors="replace"))
    await reports.receive(admitted, await _report(request, kind, body, None))
    return web.json_response({"ok": True})


async def _report(request: web.Request, kind: ReportKind, body: Kept, status: int | None) -> Report:
    return Report(
        kind=kind,
        peer=request[ADDRESS],
        text=await off_loop(lambda: body.text) if body.size > _SHORT else body.text,
        exit_status=status,
        rid=request.query.get("rid"),
        user_agent=request.headers.get("User-Agent", ""),
        size_bytes=body.size,
        cut=body.is_cut,
    )


class _Reading:
    """A place among those whose body is kept, until what it says is on the disk."""

    def __enter__(self) -> Kept:
        known = memory.of(_Memory)
        body = Kept(is_wanted=known.readers < MAX_READERS)
        known.readers += 1
        return body

    def __exit__(self, *_: object) -> None:
        memory.of(_Memory).readers -= 1


async def _read(request: web.Request, body: Kept) -> None:
    """The body as far as it comes; aiohttp's own limit is for what it keeps whole."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while chunk := await request.content.readany():
                body.add(chunk)
                # what is there already is returned without waiting, and a packed body is long
                await asyncio.sleep(0)
    except (TimeoutError, ConnectionError, web.RequestPayloadError, ClientPayloadError):
        pass  # what came is what there is
