from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from hive import clock
from hive.errors import DeliveryFailed, InvalidInput
from hive.notify.message import Message
from hive.notify.webhook import FORM, TEXT, Webhook
from hive.outgoing.client import Outgoing
from tests.notify.far_end import FarEnd, Received, far_end
from tests.notify.samples import HOSTILE, MESSAGE, SECRET, prepared


async def _sent(
    server: FarEnd, outgoing: Outgoing, message: Message = MESSAGE, **settings: Any
) -> Received:
    _, _, means = prepared("webhook", server.url, outgoing)
    read = Webhook.read({"url": f"{server.url}/hook"} | settings)
    assert isinstance(read, Webhook.settings_model)
    await Webhook.send(read, message, means)
    return server.received[-1]


async def test_without_a_body_of_its_own_everything_is_sent_as_json(
    server: FarEnd, outgoing: Outgoing
) -> None:
    told = await _sent(server, outgoing)
    assert told.method == "POST"
    assert told.json() == {
        "id": "delivery-17",
        "event_id": 4711,
        "kind": "mass deletion",
        "severity": "critical",
        "title": MESSAGE.title,
        "text": MESSAGE.text,
        "url": MESSAGE.url,
        "repository": "töpfe",
        "repository_id": 7,
        "owner": "alice",
        "at": "2026-11-23T17:05:00Z",
        "details": {"deleted_percent": 80},
    }
    assert told.headers["Idempotency-Key"] == "delivery-17"
    assert told.headers["X-Hive-Event-Id"] == "4711"
    assert "X-Hive-Signature" not in told.headers


async def test_a_signature_covers_time_and_body(server: FarEnd, outgoing: Outgoing) -> None:
    now = MESSAGE.at
    clock.use(lambda: now)
    told = await _sent(server, outgoing, HOSTILE, secret=SECRET)
    stamp, signature = told.headers["X-Hive-Signature"].split(",")
    assert stamp == f"t={int(now.timestamp())}"
    signed = f"{int(now.timestamp())}.".encode() + told.body
    assert signature == "v1=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()


async def test_a_get_is_signed_by_its_path_and_query(server: FarEnd, outgoing: Outgoing) -> None:
    url = f"{server.url}/up?msg={{{{title}}}}&down={{{{ severity }}}}"
    told = await _sent(server, outgoing, HOSTILE, method="GET", url=url, secret=SECRET)
    assert (told.method, told.body) == ("GET", b"")
    query = parse_qs(urlsplit(told.path).query)
    assert query == {"msg": [HOSTILE.title], "down": ["critical"]}
    stamp, signature = told.headers["X-Hive-Signature"].split(",")
    signed = f"{stamp[2:]}.{told.path}".encode()
    assert signature == "v1=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()


async def test_what_fills_a_json_template_cannot_break_out_of_it(
    server: FarEnd, outgoing: Outgoing
) -> None:
    template = '{"a": "{{title}} / {{text}}", "b": {{details}}, "c": "{{ owner }}", "n": "{{url}}"}'
    message = replace(HOSTILE, details={"x": '"}'}, url=None)
    told = await _sent(server, outgoing, message, body=template, method="PUT")
    assert told.method == "PUT"
    assert told.json() == {
        "a": f"{HOSTILE.title} / {HOSTILE.text}",
        "b": {"x": '"}'},
        "c": "alice",
        "n": "",
    }


async def test_forms_and_text_are_filled_as_they_need_it(
    server: FarEnd, outgoing: Outgoing
) -> None:
    told = await _sent(server, outgoing, HOSTILE, body="a={{title}}&b={{text}}", content_type=FORM)
    assert parse_qs(told.body.decode()) == {"a": [HOSTILE.title], "b": [HOSTILE.text]}
    assert told.headers["Content-Type"] == FORM
    told = await _sent(server, outgoing, HOSTILE, body="{{text}}!", content_type=TEXT)
    assert told.body.decode() == f"{HOSTILE.text}!"


async def test_own_headers_go_with_it_but_not_to_where_it_is_redirected(
    server: FarEnd, outgoing: Outgoing
) -> None:
    headers = f"Authorization: Bearer {SECRET}\r\nX-Source:hive: a\n\n"
    told = await _sent(server, outgoing, headers=headers)
    assert told.headers["Authorization"] == f"Bearer {SECRET}"
    assert told.headers["X-Source"] == "hive: a"
    async with far_end() as other:
        server.answers(307, headers={"Location": other.url})
        await _sent(server, outgoing, headers=headers)
        assert "Authorization" not in other.only.headers
        assert other.only.json()["id"] == "delivery-17"


async def test_a_url_for_this_machine_is_refused_as_it_is_sent(server: FarEnd) -> None:
    async with Outgoing() as guarded:
        with pytest.raises(DeliveryFailed, match="private address") as failed:
            await _sent(server, guarded)
    assert failed.value.permanent
    assert server.received == []


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        ("url", {"url": "ftp://example.org/"}),
        ("url", {"url": "https://a:b@example.org/"}),
        ("url", {"url": "https://{{owner}}.example.org/"}),
        ("url", {"url": "https://example.org:{{event_id}}/"}),
        ("url", {"url": "{{url}}"}),
        ("url", {"url": "https://example.org/{{password}}"}),
        ("url", {"url": "https://example.org/\r\nHost: inside"}),
        ("method", {"method": "DELETE"}),
        ("headers", {"headers": "X-Token: ü"}),
        ("headers", {"headers": "no colon"}),
        ("headers", {"headers": "X-Token: a\rX-Injected: b"}),
        ("headers", {"headers": "Host: inside"}),
        ("headers", {"headers": "X-Hive-Signature: t=0,v1=0"}),
        ("headers", {"headers": "Content-Length: 0"}),
        ("headers", {"headers": "A: 1\nA: 2"}),
        ("content_type", {"content_type": "text/html\r\nX-Injected: b"}),
        ("body", {"body": "{{nothing}}"}),
        ("body", {"body": "{{title}}"}),
        ("body", {"body": '{"a": {{title}}}'}),
        ("body", {"body": "{}", "method": "GET"}),
        ("secret", {"secret": "short"}),
        ("url", {"url": 5}),
        ("other", {"other": "x"}),
    ],
)
def test_wrong_settings_are_refused_with_the_field_and_no_secret(
    field: str, settings: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        Webhook.read({"url": "https://example.org/s3cret"} | settings)
    assert refused.value.field == field
    assert refused.value.message.endswith(".")
    assert "s3cret" not in refused.value.message
    assert json.dumps(settings) not in refused.value.message


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"secret": "short"}, "Signing secret must have at least 16 characters."),
        ({"body": "x" * 20_001, "content_type": TEXT}, "Body must have at most 20000 characters."),
        ({"method": "DELETE"}, "Method must be 'POST', 'PUT' or 'GET'."),
        ({"url": 5}, "URL must be text."),
        ({"url": ""}, "URL is missing."),
    ],
)
def test_what_would_be_right_is_said(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Webhook.read({"url": "https://example.org/"} | settings)
    assert refused.value.message == sentence


def test_a_secret_that_is_masked_stays_and_one_that_is_empty_goes() -> None:
    given = {"url": "https://example.org/s3cret", "secret": SECRET, "headers": "X-A: b"}
    before = Webhook.read(given)
    masked = Webhook.masked(before)
    assert masked["url"] == masked["secret"] == "••••"
    after = Webhook.read(masked | {"secret": "", "headers": "X-A: c"}, before=before)
    assert Webhook.stored(after) == {
        "url": "https://example.org/s3cret",
        "headers": "X-A: c",
        "method": "POST",
        "content_type": "application/json",
        "bundle": False,
    }
    with pytest.raises(InvalidInput, match="URL must be entered again") as refused:
        Webhook.read(masked)
    assert refused.value.field == "url"
    assert Webhook.describe(before) == "POST to example.org"  # type: ignore[arg-type]


def test_a_flag_is_read_as_commands_type_it() -> None:
    for typed, meant in (("true", True), ("No", False), (True, True)):
        settings = Webhook.read({"url": "https://example.org/", "bundle": typed})
        assert Webhook.stored(settings)["bundle"] is meant
    with pytest.raises(InvalidInput, match="Bundle"):
        Webhook.read({"url": "https://example.org/", "bundle": "perhaps"})
