"""A request to any address, signed; docs/reference/webhooks.md is its contract with receivers."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote, quote_plus

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from hive import clock
from hive.errors import InvalidInput
from hive.notify.channel import Channel, ChannelSettings, Means
from hive.notify.http import ask, host_of, judge
from hive.notify.message import Message
from hive.outgoing.client import check_headers, parse_url
from hive.sentences import say

PLACEHOLDERS = (
    "id",
    "event_id",
    "kind",
    "severity",
    "title",
    "text",
    "url",
    "repository",
    "repository_id",
    "owner",
    "at",
    "details",
)
_PLACEHOLDER = re.compile(r"\{\{([^{}]*)\}\}")
_HEADERS_OF_THE_HIVE = ("content-type", "idempotency-key", "user-agent")

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
TEXT = "text/plain"


def _substitute(template: str, values: dict[str, str], escape: Callable[[str], str]) -> str:
    """`template` with its placeholders filled in, once: what comes in is never looked at again."""
    return _PLACEHOLDER.sub(lambda found: escape(values[found[1].strip()]), template)


def _json_text(text: str) -> str:
    return json.dumps(text)[1:-1]


def _url_text(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _form_text(text: str) -> str:
    return quote_plus(text, errors="replace")


_ESCAPES: dict[str, Callable[[str], str]] = {JSON: _json_text, FORM: _form_text, TEXT: str}


def _check_placeholders(template: str) -> None:
    for inside in _PLACEHOLDER.findall(template):
        name = inside.strip()
        if name not in PLACEHOLDERS:
            raise ValueError(
                say(
                    "There is no placeholder {{%(name)s}}; there are %(placeholders)s.",
                    name=name[:40],
                    placeholders=", ".join(PLACEHOLDERS),
                )
            )


def _check_url(secret: SecretStr) -> SecretStr:
    template = secret.get_secret_value()
    _check_placeholders(template)
    try:
        # both ways to fill it in, as no placeholder may decide where the request goes
        filled = [parse_url(_PLACEHOLDER.sub(sample, template)) for sample in ("a", "b")]
    except InvalidInput as error:
        raise ValueError(error.message) from None
    if filled[0].origin() != filled[1].origin():
        raise ValueError("The host must not hold placeholders.")
    return secret


def _check_header_lines(secret: SecretStr) -> SecretStr:
    try:
        headers = parse_headers(secret.get_secret_value())
        check_headers(headers)
    except InvalidInput as error:
        raise ValueError(error.message) from None
    for name in headers:
        if name.lower() in _HEADERS_OF_THE_HIVE or name.lower().startswith("x-hive-"):
            raise ValueError(say("The header %(name)s is set by the hive itself.", name=name))
    return secret


def parse_headers(lines: str) -> dict[str, str]:
    """`Name: value` on each line."""
    headers: dict[str, str] = {}
    for line in lines.split("\n"):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise InvalidInput("Each line must be a header, for example X-Token: abc.")
        if name.strip() in headers:
            raise InvalidInput("Each header may be there once.")
        headers[name.strip()] = value.strip()
    return headers


class WebhookSettings(ChannelSettings):
    url: Annotated[SecretStr, AfterValidator(_check_url)] = Field(
        title=say("URL"),
        description=say("Where the request goes; {{placeholders}} may stand behind the host."),
    )
    method: Literal["POST", "PUT", "GET"] = Field(
        "POST", title=say("Method"), description=say("How it is sent; GET has no body.")
    )
    headers: Annotated[SecretStr, AfterValidator(_check_header_lines)] | None = Field(
        None,
        title=say("Headers"),
        description=say("Further headers, one a line, for example Authorization: Bearer abc."),
        max_length=8000,
        json_schema_extra={"multiline": True},
    )
    content_type: Literal["application/json", "application/x-www-form-urlencoded", "text/plain"] = (
        Field(
            "application/json",
            title=say("Content type"),
            description=say("What the body is; values are escaped as it needs them."),
        )
    )
    body: str | None = Field(
        None,
        title=say("Body"),
        description=say("The body with {{placeholders}}; without it, everything as JSON."),
        max_length=20_000,
        json_schema_extra={"multiline": True},
    )
    secret: SecretStr | None = Field(
        None,
        title=say("Signing secret"),
        description=say(
            "At least 16 characters that the receiver knows too; requests are then signed."
        ),
        min_length=16,
        max_length=256,
    )

    bundle: bool = Field(
        False,
        title=say("Bundle"),
        description=say(
            "Send many messages of a kind as one, with all of them in its details; for people, not"
            " for programs."
        ),
    )

    @field_validator("body", mode="after")
    @classmethod
    def _check_body(cls, body: str | None, info: ValidationInfo) -> str | None:
        if body is None:
            return None
        if info.data.get("method") == "GET":
            raise ValueError("GET has no body; leave it empty or choose POST.")
        _check_placeholders(body)
        if info.data.get("content_type") == JSON:
            values = dict.fromkeys(PLACEHOLDERS, "") | {"details": "{}"}
            try:
                json.loads(_fill_json(body, values))
            except ValueError:
                raise ValueError(
                    'With its placeholders filled in it is not valid JSON; write "{{title}}" in '
                    "quotes, and {{details}} without."
                ) from None
        return body


def _fill_json(template: str, values: dict[str, str]) -> str:
    """Every value is the inside of a JSON string but `details`, which is an object."""

    def fill(found: re.Match[str]) -> str:
        name = found[1].strip()
        return values[name] if name == "details" else _json_text(values[name])

    return _PLACEHOLDER.sub(fill, template)


class Webhook(Channel[WebhookSettings]):
    kind = "webhook"
    title = "Webhook"
    settings_model = WebhookSettings
    is_idempotent = True  # by the Idempotency-Key

    @classmethod
    def describe(cls, settings: WebhookSettings) -> str:
        address = _PLACEHOLDER.sub("", settings.url.get_secret_value())
        return say("%(method)s to %(host)s", method=settings.method, host=host_of(address))

    @classmethod
    def takes_bundles(cls, settings: Mapping[str, Any]) -> bool:
        """Only if somebody asked for it: programs want to hear of each event."""
        return settings.get("bundle") is True

    @classmethod
    async def deliver(cls, settings: WebhookSettings, message: Message, means: Means) -> str:
        values = _values(message)
        url = _substitute(settings.url.get_secret_value(), values, _url_text)
        body = _body(settings, message, values)
        headers = parse_headers(settings.headers.get_secret_value()) if settings.headers else {}
        headers |= {
            "X-Hive-Event": _url_text(message.kind),
            "Idempotency-Key": message.id,
        }
        if message.event_id is not None:
            headers["X-Hive-Event-Id"] = str(message.event_id)
        if body is not None:
            headers["Content-Type"] = settings.content_type
        if settings.secret is not None:
            signed = body if body is not None else parse_url(url).raw_path_qs.encode()
            headers["X-Hive-Signature"] = sign(
                settings.secret.get_secret_value(), int(clock.now().timestamp()), signed
            )
        answer = await ask(
            means, settings.method, url, headers=headers, body=body, allow_redirects=True
        )
        return judge(answer, host_of(url))


def _values(message: Message) -> dict[str, str]:
    everything: dict[str, Any] = message.as_json()
    everything["details"] = json.dumps(everything["details"])
    return {name: "" if value is None else str(value) for name, value in everything.items()}


def _body(settings: WebhookSettings, message: Message, values: dict[str, str]) -> bytes | None:
    if settings.method == "GET":
        return None
    if settings.body is None:
        return json.dumps(message.as_json()).encode()
    if settings.content_type == JSON:
        return _fill_json(settings.body, values).encode()
    filled = _substitute(settings.body, values, _ESCAPES[settings.content_type])
    return filled.encode("utf-8", errors="replace")


def sign(secret: str, timestamp: int, signed: bytes) -> str:
    """`t=...,v1=...`: HMAC-SHA256 over the time, a dot and the body."""
    digest = hmac.new(secret.encode(), b"%d." % timestamp + signed, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"
