"""What holds for each channel that speaks HTTP, whatever its service."""

from __future__ import annotations

import json
import traceback
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web

from hive import clock
from hive.errors import DeliveryFailed, InvalidInput
from hive.notify import documentation
from hive.notify.channel import MASK
from hive.notify.message import Message
from hive.notify.registry import CHANNELS
from hive.outgoing.client import Outgoing
from tests.notify.far_end import FarEnd
from tests.notify.samples import HOSTILE, KINDS, MESSAGE, SECRET, prepared, settings_of

every_channel = pytest.mark.parametrize("kind", KINDS)


async def _failure(
    kind: str, url: str, outgoing: Outgoing, message: Message = MESSAGE
) -> DeliveryFailed:
    channel, settings, means = prepared(kind, url, outgoing)
    with pytest.raises(DeliveryFailed) as failed:
        await channel.send(settings, message, means)
    return failed.value


def test_the_samples_leave_out_no_channel() -> None:
    assert set(KINDS) | {"email", "apprise"} == set(CHANNELS)
    assert all(kind == channel.kind for kind, channel in CHANNELS.items())


@every_channel
async def test_a_hostile_message_is_one_request_that_can_be_read(
    kind: str, server: FarEnd, outgoing: Outgoing
) -> None:
    channel, settings, means = prepared(kind, server.url, outgoing)
    await channel.send(settings, HOSTILE, means)
    assert "X-Injected" not in server.only.headers
    assert isinstance(server.only.json(), dict)
    assert server.only.headers["Content-Type"] == "application/json"


@every_channel
@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
async def test_what_cannot_heal_is_permanent(
    kind: str, status: int, server: FarEnd, outgoing: Outgoing
) -> None:
    server.answers(status, "no", {"Retry-After": "5"})
    failed = await _failure(kind, server.url, outgoing)
    assert failed.permanent
    assert failed.retry_after is None
    assert str(status) in failed.message


@every_channel
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_what_may_heal_is_not_permanent(
    kind: str, status: int, server: FarEnd, outgoing: Outgoing
) -> None:
    server.answers(status, "later", {"Retry-After": "17"})
    failed = await _failure(kind, server.url, outgoing)
    assert not failed.permanent
    assert failed.retry_after == 17


@every_channel
async def test_a_date_to_come_back_at_is_understood(
    kind: str, server: FarEnd, outgoing: Outgoing
) -> None:
    now = MESSAGE.at
    clock.use(lambda: now)
    later = format_datetime(now + timedelta(seconds=90), usegmt=True)
    server.answers(429, "", {"Retry-After": later})
    assert (await _failure(kind, server.url, outgoing)).retry_after == 90


@pytest.mark.parametrize(
    ("said", "expected"),
    [("nonsense", None), ("nan", None), ("-5", 0), ("1e99", 86_400), ("Mon, 99 Foo", None)],
)
async def test_a_wish_that_makes_no_sense_is_not_granted(
    said: str, expected: float | None, server: FarEnd, outgoing: Outgoing
) -> None:
    server.answers(429, "", {"Retry-After": said})
    assert (await _failure("slack", server.url, outgoing)).retry_after == expected


@every_channel
async def test_a_far_end_that_is_gone_may_come_back(kind: str, outgoing: Outgoing) -> None:
    failed = await _failure(kind, "http://127.0.0.1:9", outgoing)
    assert failed.message.startswith("127.0.0.1:9 cannot be reached")
    assert not failed.permanent


@every_channel
async def test_a_redirect_is_a_failure_in_words(
    kind: str, server: FarEnd, outgoing: Outgoing
) -> None:
    server.answers(301, "", {"Location": "https://elsewhere.example.org/"})
    failed = await _failure(kind, server.url, outgoing)
    assert "give the address that it redirects to" in failed.message
    assert failed.permanent
    assert len(server.received) == 1


@every_channel
@pytest.mark.parametrize("status", [200, 400, 500])
async def test_an_answer_that_repeats_the_request_betrays_no_secret(
    kind: str, status: int, server: FarEnd, outgoing: Outgoing
) -> None:
    async def repeat(request: web.Request) -> web.Response:
        told = f"{request.raw_path} {sorted(request.headers.items())} {await request.text()}"
        words = {"message": told, "error": told, "errors": [told], "description": told}
        return web.Response(status=status, text=json.dumps(words | {"event_id": told, "id": told}))

    server.handler = repeat
    channel, settings, means = prepared(kind, server.url, outgoing)
    try:
        answer = (await channel.send(settings, MESSAGE, means)).answer
    except DeliveryFailed as error:
        answer = error.message + "".join(traceback.format_exception(error))
    assert SECRET not in answer
    assert SECRET in f"{server.only}"


@every_channel
async def test_what_is_shown_holds_no_secret_and_can_be_given_back(
    kind: str, server: FarEnd, outgoing: Outgoing
) -> None:
    channel, settings, _ = prepared(kind, server.url, outgoing)
    masked = channel.masked(settings)
    assert SECRET not in f"{masked} {channel.describe(settings)} {settings!r}"
    assert channel.read(masked, before=settings) == settings
    assert channel.read(channel.stored(settings)) == settings
    assert SECRET in json.dumps(channel.stored(settings))
    assert len(channel.describe(settings)) < 100


@every_channel
async def test_a_server_in_a_private_network_is_not_told(kind: str, server: FarEnd) -> None:
    async with Outgoing() as guarded:
        failed = await _failure(kind, server.url, guarded)
    assert "private address" in failed.message
    assert failed.permanent
    assert server.received == []


@every_channel
async def test_a_message_of_a_megabyte_is_cut_to_what_the_service_takes(
    kind: str, server: FarEnd, outgoing: Outgoing
) -> None:
    channel, settings, means = prepared(kind, server.url, outgoing)
    long = replace(HOSTILE, title=HOSTILE.title * 10_000, text="\U0001f6a8<*" * 300_000)
    await channel.send(settings, long, means)
    if kind != "webhook":  # which takes what there is
        assert len(server.only.body) < (65_536 if kind == "matrix" else 250_000)


@every_channel
def test_a_field_that_is_masked_is_said_to_be_secret(kind: str) -> None:
    channel = CHANNELS[kind]
    masked = channel.masked(channel.read(settings_of("https://example.org")[kind]))
    secrets = {field.name for field in channel.fields() if field.secret}
    assert {name for name, shown in masked.items() if shown == MASK} == secrets
    for name in secrets:
        with pytest.raises(InvalidInput, match="must be given anew"):
            channel.read(settings_of("https://example.org")[kind] | {name: MASK})


def test_the_settings_of_the_samples_have_titles_and_descriptions() -> None:
    for channel in CHANNELS.values():
        for field in channel.fields():
            assert field.title != field.name, field
            assert field.description.endswith("."), field
    assert set(settings_of("http://a")["webhook"]) <= {f.name for f in CHANNELS["webhook"].fields()}


def test_the_reference_of_channels_is_current() -> None:
    written = (Path(__file__).parents[2] / "docs" / "reference" / "channels.md").read_text()
    assert written.rstrip("\n") == documentation.markdown().rstrip("\n")
