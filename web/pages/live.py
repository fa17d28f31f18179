"""What happens, as it happens, to pages that are open: server-sent events.

`changed` has a page read itself anew; `progress` tells how far the sessions are that run, and
`work` how far long work on repositories is.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from aiohttp import web
from aiohttp_sse import EventSourceResponse, sse_response

from hive.long_work import WorkInfo
from hive.services.accounts import browser_sessions
from hive.services.accounts.users import UserInfo
from hive.services.sessions.live_feed import Follower, News, Progress
from web.access import actor_for, user_of
from web.app_keys import FOLLOWERS
from web.cookies import token_of
from web.text.format import brief_size, size, speed, took, work_amount, work_left, work_share

_PATIENCE = 15.0  # seconds after which is looked whether the browser and its login are still there
_PAUSE = 0.5  # seconds; what happens at once is told at once


async def show(request: web.Request) -> web.StreamResponse:
    login = token_of(request) or ""
    try:
        with request.app[FOLLOWERS].follow(user_of(request).id, login) as follower:
            if request.transport is None:  # the browser left while its login was looked up
                return web.Response()
            async with sse_response(request) as stream:
                await _tell(request, follower, stream)
                return stream
    except ConnectionResetError:  # it left while the stream began or ended
        return web.Response()


async def _tell(request: web.Request, follower: Follower, stream: EventSourceResponse) -> None:
    try:
        while stream.is_connected() and not follower.has_ended:
            user = await _still_there(request)
            if user is None:
                return
            await _send(stream, await follower.news(actor_for(request, user)))
            await _wait(follower)
    except (ConnectionResetError, TimeoutError):
        pass  # the browser went away, or takes nothing any more


async def _wait(follower: Follower) -> None:
    try:
        async with asyncio.timeout(_PATIENCE):
            await follower.wait()
    except TimeoutError:
        return
    if not follower.has_ended:
        await asyncio.sleep(_PAUSE)


async def _still_there(request: web.Request) -> UserInfo | None:
    """Who is logged in; a page that is merely open does not count as seen."""
    token = token_of(request)
    return await browser_sessions.user_of(token, is_seen=False) if token else None


async def _send(stream: EventSourceResponse, news: News) -> None:
    if news.progress:
        await stream.send(_as_json(news.progress), event="progress")
    if news.works:
        await stream.send(_works(news.works), event="work")
    if news.has_changed:
        await stream.send("", event="changed")


def _as_json(progress: Sequence[Progress]) -> str:
    """The figures as pages show them."""
    return json.dumps(
        [
            {
                "session": one.session_id,
                "in": size(one.bytes_in),
                "out": size(one.bytes_out),
                "took": took(one.started_at, None),
                "received": brief_size(one.bytes_in),
                "speed": speed(one.bytes_per_second),
            }
            for one in progress
        ]
    )


def _works(works: Sequence[WorkInfo]) -> str:
    """How far long work is, as web/templates/works.html shows it."""
    return json.dumps(
        [
            {
                "work": f"{one.repository_id}-{one.kind}",
                "percent": one.percent,
                "share": work_share(one),
                "amount": work_amount(one),
                "left": work_left(one),
            }
            for one in works
        ]
    )


async def end_all(app: web.Application) -> None:
    """At the end of the server: open pages do not hold it up."""
    app[FOLLOWERS].end_all()
