"""Requests to servers that people name, safe to point at whatever somebody types.

    async with Outgoing.of(settings) as outgoing:
        answer = await outgoing.request("POST", url, json={"text": "..."})

One `Outgoing` serves the whole process. It

- connects to public addresses, and to others only in `notifications.allowed_networks`. An address
  is checked as its socket is made, so that a name cannot resolve to something else in between;
- follows redirects by itself, at most five, each checked as the first request was; never from
  https to http; what the caller gave as headers, secrets included, stays with the first origin;
- reads the first `max_answer_bytes` of an answer, undecoded, and drops the connection;
- ends after `timeout_seconds`, redirects and all;
- keeps no cookies and heeds no proxy or netrc of the environment.

`request` returns an `Answer` with whatever status, or raises `OutgoingFailed`, which names the host
and never more of a URL, because URLs hold secrets.
"""

from __future__ import annotations

import asyncio
import io
import json as json_format
import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import DefaultResolver
from yarl import URL

from hive import __version__
from hive.config.settings import NotificationSettings
from hive.errors import InvalidInput, OutgoingFailed
from hive.outgoing.guard import ForbiddenAddress, Guard, GuardedResolver, parse_url
from hive.sentences import say

__all__ = ["Answer", "Outgoing", "check_headers", "parse_url"]

MAX_REDIRECTS = 5
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

_KEPT_HEADERS = ("content-type", "location", "retry-after", "x-request-id")
# what is sent again after a redirect to another origin; everything else may be a secret
_HARMLESS_HEADERS = ("accept", "content-type")
# what describes the connection and the message is ours to say
_OWN_HEADERS = (
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]{0,4096}")


@dataclass(frozen=True)
class Answer:
    """What a server said: `text` is the beginning of the body, empty if that is not text."""

    status: int
    headers: Mapping[str, str]  # by name in small letters: those in _KEPT_HEADERS
    text: str
    truncated: bool = False  # there was more than was read

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> object:
        """The body as JSON, or None where it is not."""
        try:
            found: object = json_format.loads(self.text)
        except (ValueError, RecursionError):
            return None
        return found


@dataclass(frozen=True)
class _Request:
    method: str
    url: URL
    headers: dict[str, str]
    body: bytes | None

    def redirected(self, status: int, location: str) -> _Request:
        """The request that a redirect asks for; one that must not be made is refused."""
        if status in (301, 302) and self.method not in ("GET", "HEAD"):
            raise _Refused("it redirects; give the address that it redirects to", self.url)
        try:
            target = parse_url(str(self.url.join(URL(location, encoded=True))))
        except (InvalidInput, ValueError):
            raise _Refused("it redirects to something that is no URL to ask", self.url) from None
        if self.url.scheme == "https" and target.scheme == "http":
            raise _Refused("it redirects from https to http", self.url)
        headers, method, body = self.headers, self.method, self.body
        if status == 303 and method != "HEAD":
            method, body = "GET", None
            headers = {name: headers[name] for name in headers if name.lower() != "content-type"}
        if target.origin() != self.url.origin():
            headers = {name: headers[name] for name in headers if name.lower() in _HARMLESS_HEADERS}
        return _Request(method, target, headers, body)


class _Refused(OutgoingFailed):
    def __init__(self, reason: str, url: URL) -> None:
        super().__init__(
            say(
                "%(host)s was not contacted: %(reason)s.",
                host=_shown_host(url),
                reason=reason,
            ),
            permanent=True,
        )


class Outgoing:
    """The client; an async context manager, opened once and shared."""

    def __init__(
        self,
        *,
        allowed_networks: Iterable[str] = (),
        timeout_seconds: float = 10,
        max_answer_bytes: int = 64 * 1024,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
        closed: str = "",
    ) -> None:
        """`resolver` and `tls` take the place of the system's names and trusted authorities.

        `closed`: why nothing at all is to leave this server; empty where it may.
        """
        self.timeout_seconds = timeout_seconds
        self._guard = Guard(allowed_networks)
        self._max_answer_bytes = max_answer_bytes
        self._resolver = resolver
        self._tls = tls
        self._closed = closed
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def of(cls, settings: NotificationSettings, *, closed: str = "") -> Self:
        return cls(
            closed=closed,
            allowed_networks=settings.allowed_networks,
            timeout_seconds=settings.timeout_seconds,
            max_answer_bytes=settings.max_answer_bytes,
        )

    def allow_also(self, networks: Iterable[str]) -> None:
        """Reach these networks as well, from now on; those of the last call no longer."""
        self._guard.allow_also(networks)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=GuardedResolver(self._resolver or DefaultResolver(), self._guard),
                socket_factory=self._guard.socket_for,
                ssl=self._tls or ssl.create_default_context(),
                use_dns_cache=False,
                force_close=True,  # a connection that the server has given up would lose a message
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # `request` has one clock for everything
            trust_env=False,
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        json: object = None,
        allow_redirects: bool = True,
    ) -> Answer:
        """The answer, whatever its status; OutgoingFailed where there is none.

        `json` is sent as the body with its content type. GET and HEAD follow 301, 302, 303, 307 and
        308; other methods follow 303 (with GET), 307 and 308, and fail at 301 and 302, which would
        turn them into a GET that delivers nothing. Without `allow_redirects` the redirect itself is
        the answer.
        """
        if self._closed:
            raise OutgoingFailed(self._closed, permanent=True)
        asked = _prepare(method, url, headers or {}, body, json)
        try:
            async with asyncio.timeout(self.timeout_seconds):
                for _ in range(MAX_REDIRECTS + 1):
                    answer = await self._ask(asked)
                    location = answer.headers.get("location")
                    if not allow_redirects or not _is_redirect(answer) or location is None:
                        return answer
                    asked = asked.redirected(answer.status, location)
        except TimeoutError:
            raise OutgoingFailed(
                "%(url)s did not answer within %(timeout_seconds)g seconds.",
                url=_shown_host(asked.url),
                timeout_seconds=self.timeout_seconds,
            ) from None
        raise _Refused(
            say("there were more than %(most)s redirects", most=MAX_REDIRECTS),
            asked.url,
        )

    async def _ask(self, asked: _Request) -> Answer:
        if self._session is None:
            raise RuntimeError("Outgoing is used inside `async with`")
        try:
            async with self._session.request(
                asked.method,
                asked.url,
                headers={
                    "User-Agent": f"borg-hive/{__version__}",
                    "Accept-Encoding": "identity",
                    **asked.headers,
                },
                data=None if asked.body is None else io.BytesIO(asked.body),
                allow_redirects=False,
            ) as response:
                beginning = await self._read(response)
                response.close()  # the rest of the body is not needed
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error, TimeoutError):
                raise  # of the clock around it
            # not `from error`: what aiohttp raises holds the URL
            raise _explain(error, asked.url) from None
        headers = {
            name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers
        }
        text = beginning[: self._max_answer_bytes].decode("utf-8", errors="replace")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            text = ""  # asked for none, so what came is not ours to unpack
        truncated = len(beginning) > self._max_answer_bytes
        return Answer(response.status, headers, text, truncated)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """The beginning of the body, and one byte more if there is more."""
        most = self._max_answer_bytes + 1
        beginning = bytearray()
        while len(beginning) < most:
            try:
                chunk = await response.content.read(most - len(beginning))
            except aiohttp.ClientPayloadError:
                break  # it had said its status, and then left
            if not chunk:
                break
            beginning += chunk
        return bytes(beginning)


def _prepare(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None, json: object
) -> _Request:
    """The request, checked; what cannot be sent fails here and would always."""
    if method not in METHODS:
        raise OutgoingFailed(
            "A method is one of %(methods)s.", permanent=True, methods=", ".join(METHODS)
        )
    try:
        target = parse_url(url)
        check_headers(headers)
    except InvalidInput as error:
        raise OutgoingFailed(error.message, permanent=True) from None
    sent = dict(headers)
    if json is not None:
        body = json_format.dumps(json).encode()
        sent = {name: sent[name] for name in sent if name.lower() != "content-type"}
        sent["Content-Type"] = "application/json"
    return _Request(method, target, sent, body)


def check_headers(headers: Mapping[str, str], *, field: str | None = None) -> None:
    """InvalidInput unless these can be sent; values are not repeated, as they may be secrets."""
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise InvalidInput(
                "A header's name must be letters, digits and hyphens, for example X-Token.",
                field=field,
            )
        if name.lower() in _OWN_HEADERS:
            raise InvalidInput(
                "The header %(name)s is set by the hive itself.", field=field, name=name
            )
        if not _HEADER_VALUE.fullmatch(value):
            raise InvalidInput(
                "The header %(name)s must hold printable ASCII on one line, at most 4096"
                " characters.",
                field=field,
                name=name,
            )


def _is_redirect(answer: Answer) -> bool:
    return answer.status in (301, 302, 303, 307, 308)


def _shown_host(url: URL) -> str:
    return f"{url.host}" if url.is_default_port() else f"{url.host}:{url.port}"


def _explain(error: Exception, url: URL) -> OutgoingFailed:  # noqa: PLR0911 - one for each cause
    """What went wrong, without a word of aiohttp's, which repeats URLs."""
    host = _shown_host(url)
    reason: BaseException = error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = error.certificate_error
    elif isinstance(error, aiohttp.ClientConnectorError):
        reason = error.os_error
    if isinstance(reason, ForbiddenAddress):
        return _not_allowed(url.host == reason.address, host, reason.address)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return OutgoingFailed(
            "The certificate of %(host)s is not trusted: %(reason)s.",
            host=host,
            reason=reason.verify_message,
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return OutgoingFailed("The name %(host)s could not be resolved.", host=host)
    if isinstance(reason, ssl.SSLError):
        return OutgoingFailed(
            "%(host)s does not speak TLS correctly: %(reason)s.", host=host, reason=reason.reason
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        return OutgoingFailed(
            "%(host)s cannot be reached: %(reason)s.",
            host=host,
            reason=_system_words(error.os_error),
        )
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError | OSError):
        return OutgoingFailed("%(host)s closed the connection before it had answered.", host=host)
    return OutgoingFailed("%(host)s did not answer like an HTTP server.", host=host)


def _not_allowed(is_the_address: bool, host: str, address: str) -> OutgoingFailed:
    if is_the_address:
        return OutgoingFailed(
            "%(host)s is a private address, so nothing was sent. An administrator can allow it:"
            " hive channel allow %(private)s (or notifications.allowed_networks).",
            permanent=True,
            address=address,
            host=host,
            private=address,
        )
    return OutgoingFailed(
        "%(host)s has the private address %(private)s, so nothing was sent. An administrator can"
        " allow it: hive channel allow %(private)s (or notifications.allowed_networks).",
        permanent=True,
        address=address,
        host=host,
        private=address,
    )


def _system_words(error: OSError) -> str:
    return (error.strerror or "no connection").partition(" [")[0]
