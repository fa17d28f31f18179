from __future__ import annotations

import asyncio
import gzip
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from hive.errors import OutgoingFailed
from hive.outgoing.client import Outgoing
from tests.notify.far_end import Certificate, FarEnd, Names, far_end


async def test_an_answer_has_status_chosen_headers_and_text(
    server: FarEnd, outgoing: Outgoing
) -> None:
    server.answers(404, {"why": "ü"}, {"Retry-After": "7", "X-Other": "no", "Set-Cookie": "a=b"})
    answer = await outgoing.request(
        "PUT", f"{server.url}/a%2Fb?c=%20", headers={"X-Token": "t"}, json={"name": "ü"}
    )
    assert (answer.status, answer.ok, answer.truncated) == (404, False, False)
    assert answer.json() == {"why": "ü"}
    assert answer.headers["retry-after"] == "7"
    assert "x-other" not in answer.headers
    assert server.only.method == "PUT"
    assert server.only.path == "/a%2Fb?c=%20"
    assert server.only.json() == {"name": "ü"}
    assert server.only.headers["Content-Type"] == "application/json"
    assert server.only.headers["X-Token"] == "t"
    assert server.only.headers["User-Agent"].startswith("borg-hive/")


async def test_cookies_and_proxies_do_not_exist(
    server: FarEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.answers(200, "yes", {"Set-Cookie": "a=b"})
    # a name, as cookies of bare addresses are kept by nobody
    url = f"http://server.test:{URL(server.url).port}/"
    async with Outgoing(
        allowed_networks=["127.0.0.0/8"], resolver=Names(server=[["127.0.0.1"]]), timeout_seconds=5
    ) as outgoing:
        for _ in range(2):
            assert (await outgoing.request("GET", url)).text == "yes"
    assert all("Cookie" not in each.headers for each in server.received)


async def test_a_redirect_keeps_method_body_and_headers_at_the_same_origin(
    server: FarEnd, outgoing: Outgoing
) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/old":
            return web.Response(status=307, headers={"Location": "/new?x=1"})
        return web.Response(text="here")

    server.handler = answer
    found = await outgoing.request(
        "POST", f"{server.url}/old", headers={"Authorization": "Bearer s"}, body=b"text"
    )
    assert found.text == "here"
    assert server.received[1].path == "/new?x=1"
    assert server.received[1].body == b"text"
    assert server.received[1].headers["Authorization"] == "Bearer s"


async def test_a_redirect_to_another_origin_is_told_no_secret(
    server: FarEnd, outgoing: Outgoing
) -> None:
    async with far_end() as other:
        server.answers(308, headers={"Location": f"{other.url}/"})
        await outgoing.request(
            "POST",
            server.url,
            headers={"Authorization": "Bearer s", "X-Token": "s", "Cookie": "s", "Accept": "a/b"},
            json={},
        )
        told = other.only
    assert {"Authorization", "X-Token", "Cookie", "Referer"}.isdisjoint(told.headers)
    assert told.headers["Accept"] == "a/b"
    assert (told.method, told.body) == ("POST", b"{}")


async def test_a_post_is_never_turned_into_a_get_that_delivers_nothing(
    server: FarEnd, outgoing: Outgoing
) -> None:
    server.answers(301, headers={"Location": "/new"})
    with pytest.raises(OutgoingFailed, match="give the address that it redirects to") as failed:
        await outgoing.request("POST", server.url, body=b"text")
    assert failed.value.permanent
    assert len(server.received) == 1
    assert (await outgoing.request("POST", server.url, allow_redirects=False)).status == 301


async def test_see_other_is_seen_with_get(server: FarEnd, outgoing: Outgoing) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.method == "POST":
            return web.Response(status=303, headers={"Location": "/result"})
        return web.Response(text="done")

    server.handler = answer
    assert (await outgoing.request("POST", server.url, json={"a": 1})).text == "done"
    assert (server.received[1].method, server.received[1].body) == ("GET", b"")
    assert "Content-Type" not in server.received[1].headers


async def test_five_redirects_are_followed_and_not_six(server: FarEnd, outgoing: Outgoing) -> None:
    async def answer(request: web.Request) -> web.Response:
        left = int(request.path.strip("/"))
        if left == 0:
            return web.Response(text="arrived")
        return web.Response(status=302, headers={"Location": f"/{left - 1}"})

    server.handler = answer
    assert (await outgoing.request("GET", f"{server.url}/5")).text == "arrived"
    with pytest.raises(OutgoingFailed, match="more than 5 redirects") as failed:
        await outgoing.request("GET", f"{server.url}/6")
    assert failed.value.permanent


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://a/", "http://a:b@127.0.0.1/", "http://[", "/a b", "/\xfc"],
)
async def test_a_redirect_to_no_url_is_an_error(
    location: str, server: FarEnd, outgoing: Outgoing
) -> None:
    server.answers(302, headers={"Location": location})
    with pytest.raises(OutgoingFailed, match="redirects to something that is no URL"):
        await outgoing.request("GET", server.url)


async def test_tls_is_verified_and_never_left_by_a_redirect(
    server: FarEnd, certificate: Certificate, outgoing: Outgoing
) -> None:
    async with far_end(tls=certificate.server_side()) as secure:
        secure.answers(307, headers={"Location": server.url})
        with pytest.raises(OutgoingFailed, match=r"certificate of .* is not trusted"):
            await outgoing.request("GET", secure.url)
        async with Outgoing(
            allowed_networks=["127.0.0.0/8"], tls=certificate.client_side(), timeout_seconds=5
        ) as trusting:
            with pytest.raises(OutgoingFailed, match="redirects from https to http"):
                await trusting.request("GET", secure.url)
    assert server.received == []


async def test_a_body_of_100_megabytes_costs_neither_memory_nor_time(
    server: FarEnd, outgoing: Outgoing
) -> None:
    written = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b"x" * 1024**2)
            written += 1
        return response

    server.handler = answer
    begun = time.monotonic()
    found = await outgoing.request("GET", server.url)
    assert time.monotonic() - begun < 3
    assert (found.status, found.text, found.truncated) == (200, "x" * 64 * 1024, True)
    assert written < 20  # what fits into buffers on the way, and then nobody took it


async def test_a_gzip_bomb_is_not_unpacked(server: FarEnd, outgoing: Outgoing) -> None:
    server.answers(200, gzip.compress(b"\0" * 50 * 1024**2), {"Content-Encoding": "gzip"})
    tracemalloc.start()
    try:
        found = await outgoing.request("GET", server.url)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 5 * 1024**2
    assert (found.status, found.text) == (200, "")
    assert server.only.headers["Accept-Encoding"] == "identity"


async def _silence(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


async def _drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(60):
        await response.write(b"x")
        await asyncio.sleep(0.2)
    return response


async def _redirects_slowly(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(0.2)
    return web.Response(status=302, headers={"Location": "/again"})


@pytest.mark.parametrize("handler", [_silence, _drip, _redirects_slowly])
async def test_one_clock_runs_for_all_of_a_request(handler: Any, server: FarEnd) -> None:
    server.handler = handler
    async with Outgoing(allowed_networks=["127.0.0.0/8"], timeout_seconds=0.5) as outgoing:
        begun = time.monotonic()
        with pytest.raises(OutgoingFailed, match=r"did not answer within 0\.5 seconds") as failed:
            await outgoing.request("GET", f"{server.url}/secret")
        assert time.monotonic() - begun < 2
    assert not failed.value.permanent


async def _raw(write: Callable[[asyncio.StreamWriter], None]) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        write(writer)
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"", "closed the connection"),
        (b"SSH-2.0-OpenSSH\r\n", "did not answer like an HTTP server"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"a" * 100_000, "did not answer like an HTTP server"),
    ],
)
async def test_what_is_no_http_server_is_told_so_without_the_url(
    said: bytes, expected: str, outgoing: Outgoing
) -> None:
    server = await _raw(lambda writer: writer.write(said))
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(OutgoingFailed, match=expected) as failed:
            await outgoing.request("GET", f"http://127.0.0.1:{port}/hooks/s3cret?key=s3cret")
    assert failed.value.message.startswith(f"127.0.0.1:{port} ")
    assert "s3cret" not in failed.value.message
    assert failed.value.__suppress_context__  # a traceback in the log has no URL either
    assert not failed.value.permanent


async def test_nobody_there_is_told_so_without_the_url(outgoing: Outgoing) -> None:
    with pytest.raises(OutgoingFailed, match=r"^127\.0\.0\.1:9 cannot be reached") as failed:
        await outgoing.request("GET", "http://127.0.0.1:9/s3cret")
    assert not failed.value.permanent
    with pytest.raises(OutgoingFailed, match=r"^The name nowhere\.invalid could not"):
        await outgoing.request("GET", "http://nowhere.invalid/s3cret")


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Name": "a\r\nX-Injected: b"},
        {"X-Name": "a\nb"},
        {"X-Name": "ü"},
        {"X-Name": "a\0"},
        {"X-Name\r\nX-Injected": "b"},
        {"X Name": "b"},
        {"": "b"},
        {"Host": "inside"},
        {"Content-Length": "5"},
        {"Transfer-Encoding": "chunked"},
    ],
)
async def test_a_header_that_could_be_more_than_one_is_refused(
    headers: dict[str, str], server: FarEnd, outgoing: Outgoing
) -> None:
    with pytest.raises(OutgoingFailed, match="header") as failed:
        await outgoing.request("GET", server.url, headers=headers)
    assert failed.value.permanent
    assert server.received == []
