"""The settings of each kind of trigger: flat names and texts in, checked and typed out.

========  ===================================================================================
awx       url, template (number), token; extra_vars (JSON), limit, api (/api/v2), give_up (24h)
webhook   url; method (POST), body, seconds (30), header.NAME
command   command (one of triggers.commands in the configuration)
========  ===================================================================================

In `extra_vars` and `body`, {repository}, {login} and {url} stand for those of the repository.
Token, headers, body and the path of a webhook can be secrets: they are never shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from hive import units
from hive.errors import InvalidInput
from hive.kinds import TriggerKind
from hive.sentences import Sentence

MASK = "••••"
HEADER = "header."
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

_KEYS = {
    TriggerKind.AWX: ("url", "template", "token", "extra_vars", "limit", "api", "give_up"),
    TriggerKind.WEBHOOK: ("url", "method", "body", "seconds"),
    TriggerKind.COMMAND: ("command",),
}
_MOST = 64 * 1024  # characters of one value
_SHORTEST_SECRET = 4  # characters; to mask less would mask every word


@dataclass(frozen=True)
class Subject:
    """The repository that a backup is asked for."""

    name: str
    login: str
    url: str

    def fill(self, text: str) -> str:
        for name, value in (
            ("{repository}", self.name),
            ("{login}", self.login),
            ("{url}", self.url),
        ):
            text = text.replace(name, value)
        return text


@dataclass(frozen=True)
class Awx:
    url: str
    template: int
    token: str
    extra_vars: Mapping[str, Any]
    limit: str | None
    api: str
    give_up: timedelta


@dataclass(frozen=True)
class Webhook:
    url: str
    method: str
    headers: Mapping[str, str]
    body: str
    seconds: int


@dataclass(frozen=True)
class Command:
    command: str


Target = Awx | Webhook | Command


def parse(kind: TriggerKind, values: Mapping[str, str]) -> Target:
    """The settings of this kind; InvalidInput names what is wrong, and repeats no value."""
    _check_names(kind, values)
    if kind == TriggerKind.AWX:
        return _awx(values)
    if kind == TriggerKind.WEBHOOK:
        return _webhook(values)
    return Command(_needed(values, "command", kind))


def _check_names(kind: TriggerKind, values: Mapping[str, str]) -> None:
    known = _KEYS[kind]
    for name, value in values.items():
        is_header = kind == TriggerKind.WEBHOOK and name.startswith(HEADER)
        if name not in known and not is_header:
            others = ", ".join((*known, "header.NAME") if kind == TriggerKind.WEBHOOK else known)
            raise InvalidInput(
                "A trigger of the kind %(kind)s has no setting %(name)r; it has %(others)s.",
                field=name,
                kind=kind,
                name=name[:64],
                others=others,
            )
        if len(value) > _MOST or "\0" in value:
            raise InvalidInput(
                "The setting %(name)s is too long, or holds a NUL.", field=name, name=name
            )


def _needed(values: Mapping[str, str], name: str, kind: TriggerKind) -> str:
    value = values.get(name, "").strip()
    if not value:
        raise InvalidInput(
            "A trigger of the kind %(kind)s needs the setting %(name)s.",
            field=name,
            kind=kind,
            name=name,
        )
    return value


def _awx(values: Mapping[str, str]) -> Awx:
    kind = TriggerKind.AWX
    url = _url(values, kind).rstrip("/")
    if urlsplit(url).query:
        raise InvalidInput("The URL of AWX has no query: give its first page's.", field="url")
    api = values.get("api", "").strip() or "/api/v2"
    if not api.startswith("/") or not api.isascii() or "?" in api or ".." in api:
        raise InvalidInput("The API is a path, for example /api/v2.", field="api")
    token = _needed(values, "token", kind)
    _check_headers({"Authorization": f"Bearer {token}"}, "token")
    return Awx(
        url=url,
        template=_number(_needed(values, "template", kind), "template", 2**31 - 1),
        token=token,
        extra_vars=_object(values.get("extra_vars", "")),
        limit=values.get("limit", "").strip() or None,
        api=api.rstrip("/"),
        give_up=_give_up(values),
    )


def _give_up(values: Mapping[str, str]) -> timedelta:
    try:
        span = units.parse_duration(values.get("give_up", "").strip() or "24h")
    except InvalidInput as error:
        raise InvalidInput(error.message, field="give_up") from None
    if not timedelta(minutes=1) <= span <= timedelta(days=30):
        raise InvalidInput(
            "The time until giving up is 1m to 30d: for example 24h.", field="give_up"
        )
    return span


def _webhook(values: Mapping[str, str]) -> Webhook:
    method = (values.get("method", "").strip() or "POST").upper()
    if method not in METHODS:
        raise InvalidInput(
            "A method is one of %(methods)s.", field="method", methods=", ".join(METHODS)
        )
    body = values.get("body", "")
    if body and method in ("GET", "HEAD"):
        raise InvalidInput(
            "%(method)s sends no body: leave it out, or use POST.", field="body", method=method
        )
    headers = {
        name.removeprefix(HEADER): value
        for name, value in values.items()
        if name.startswith(HEADER)
    }
    _check_headers(headers, "header")
    return Webhook(
        url=_url(values, TriggerKind.WEBHOOK),
        method=method,
        headers=headers,
        body=body,
        seconds=_number(values.get("seconds", "").strip() or "30", "seconds", 300),
    )


def _url(values: Mapping[str, str], kind: TriggerKind) -> str:
    from hive.outgoing import client  # noqa: PLC0415 - it loads aiohttp, which most commands can do without

    text = _needed(values, "url", kind)
    client.parse_url(text, field="url")
    return text


def _check_headers(headers: Mapping[str, str], field: str) -> None:
    from hive.outgoing import client  # noqa: PLC0415 - see _url

    client.check_headers(headers, field=field)


def _number(text: str, name: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 11 and 1 <= int(text) <= most):
        raise InvalidInput(
            "The setting %(name)s is a number from 1 to %(most)s.", field=name, name=name, most=most
        )
    return int(text)


def _object(text: str) -> Mapping[str, Any]:
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidInput(
            'The setting extra_vars is a JSON object, for example {"hosts": "nas"}.',
            field="extra_vars",
        )
    return found


def names_of(kind: TriggerKind) -> tuple[str, ...]:
    """The settings that this kind has, but for the headers of a webhook."""
    return _KEYS[kind]


def is_secret(kind: TriggerKind, name: str) -> bool:
    """Whether nobody is shown the setting as it is."""
    is_hidden = name in ("token", "body") or name.startswith(HEADER)
    return is_hidden or (kind == TriggerKind.WEBHOOK and name == "url")


def check_move(
    kind: TriggerKind,
    former: Mapping[str, str],
    wanted: Mapping[str, str],
    merged: Mapping[str, str],
) -> None:
    """Who may change where a call goes must not learn by that what it carries."""
    if _origin(former) == _origin(merged):
        return
    for name in former:
        if name != "url" and is_secret(kind, name) and name not in wanted:
            raise InvalidInput(
                "The address is that of another server: what is secret is not sent there before it"
                " is given again (%(name)s).",
                field="header" if name.startswith(HEADER) else name,
                name=name,
            )


def _origin(values: Mapping[str, str]) -> tuple[str, str]:
    parts = urlsplit(values.get("url", "").strip())
    return parts.scheme, parts.netloc.lower()


def shown(kind: TriggerKind, values: Mapping[str, str]) -> dict[str, str]:
    """The settings as anybody may see them."""
    return {name: _shown(kind, name, value) for name, value in sorted(values.items())}


def _shown(kind: TriggerKind, name: str, value: str) -> str:
    if not is_secret(kind, name):
        return value
    if name != "url":
        return MASK if value else ""
    parts = urlsplit(value)
    rest = f"/{MASK}" if parts.path.strip("/") or parts.query else parts.path
    return f"{parts.scheme}://{parts.netloc}{rest}"


def secrets_of(kind: TriggerKind, values: Mapping[str, str]) -> list[str]:
    """What must not be in a message, the longest first."""
    found: list[str] = []
    for name, value in values.items():
        if name in ("token", "body"):
            found.append(value)
        elif name.startswith(HEADER):
            found += [value, *value.split()]  # "Bearer abc": abc alone as well
        elif kind == TriggerKind.WEBHOOK and name == "url":
            parts = urlsplit(value)
            found += [value, parts.path, parts.query, *parts.path.split("/")]
            found += [pair.partition("=")[2] for pair in parts.query.split("&")]
    long_enough = {text.strip() for text in found if len(text.strip()) >= _SHORTEST_SECRET}
    return sorted(long_enough, key=len, reverse=True)


def mask(text: str, secrets: Sequence[str]) -> str:
    """`text` without these secrets; a sentence stays one, without them in its values."""
    if not isinstance(text, Sentence):
        return _masked(text, secrets)
    values = {
        name: mask(value, secrets) if isinstance(value, str) else value
        for name, value in text.values.items()
    }
    return Sentence(_masked(text.text, secrets), values)


def _masked(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text
