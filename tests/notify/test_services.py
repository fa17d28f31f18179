"""What each service is sent, and what its answers mean, by its documentation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hive.errors import DeliveryFailed, InvalidInput
from hive.kinds import Severity
from hive.layout import Facts, Paragraph
from hive.notify.message import Button, Message
from hive.notify.teams import Teams
from hive.outgoing.client import Outgoing
from tests.notify.far_end import FarEnd, Received
from tests.notify.samples import HOSTILE, MESSAGE, SECRET, prepared


async def _sent(
    kind: str, server: FarEnd, outgoing: Outgoing, message: Message = MESSAGE, **more: Any
) -> tuple[Received, str]:
    channel, settings, means = prepared(kind, server.url, outgoing, **more)
    sent = await channel.send(settings, message, means)
    return server.received[-1], sent.answer


async def _failure(kind: str, server: FarEnd, outgoing: Outgoing) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as failed:
        await _sent(kind, server, outgoing)
    return failed.value


async def test_pushover(server: FarEnd, outgoing: Outgoing) -> None:
    server.answers(200, {"status": 1, "request": "647d2300"})
    told, answer = await _sent("pushover", server, outgoing, device="phone")
    assert (told.method, told.path) == ("POST", "/1/messages.json")
    assert told.json() == {
        "token": SECRET,
        "user": "u" * 30,
        "device": "phone",
        "title": MESSAGE.title,
        "message": MESSAGE.text,
        "priority": 1,
        "timestamp": int(MESSAGE.at.timestamp()),
        "url": MESSAGE.url,
        "url_title": "Show in Borg Hive",
    }
    assert answer.startswith("200 ")
    long = replace(MESSAGE, title="t" * 300, text="x" * 2000, url="https://a/" + "u" * 600)
    cut, _ = await _sent("pushover", server, outgoing, long)
    assert (len(cut.json()["title"]), len(cut.json()["message"])) == (250, 1024)
    assert "url" not in cut.json()


async def test_pushover_says_what_is_wrong(server: FarEnd, outgoing: Outgoing) -> None:
    server.answers(400, {"user": "invalid", "errors": ["user identifier is invalid"], "status": 0})
    failed = await _failure("pushover", server, outgoing)
    assert failed.message == "Pushover answered 400 user identifier is invalid"
    assert failed.permanent


async def test_ntfy(server: FarEnd, outgoing: Outgoing) -> None:
    server.answers(200, {"id": "hwQ2YpKdmg", "event": "message", "topic": "backups"})
    told, answer = await _sent("ntfy", server, outgoing)
    assert (told.method, told.path) == ("POST", "/")
    assert told.headers["Authorization"] == f"Bearer {SECRET}"
    assert told.json() == {
        "topic": "backups",
        "title": MESSAGE.title,
        "message": MESSAGE.text,
        "priority": 5,
        "tags": ["rotating_light"],
        "click": MESSAGE.url,
    }
    assert answer == "200 id hwQ2YpKdmg"
    cut, _ = await _sent("ntfy", server, outgoing, replace(MESSAGE, text="ü" * 4096))
    assert len(cut.json()["message"].encode()) <= 4096
    server.answers(429, {"code": 42901, "http": 429, "error": "limit reached: too many requests"})
    failed = await _failure("ntfy", server, outgoing)
    assert failed.message == "ntfy answered 429 limit reached: too many requests"
    assert not failed.permanent


async def test_gotify(server: FarEnd, outgoing: Outgoing) -> None:
    server.answers(200, {"id": 25, "appid": 5})
    told, answer = await _sent("gotify", server, outgoing)
    assert told.path == "/message"
    assert told.headers["X-Gotify-Key"] == SECRET
    assert told.json() == {
        "title": MESSAGE.title,
        "message": MESSAGE.text,
        "priority": 9,
        "extras": {
            "client::display": {"contentType": "text/plain"},
            "client::notification": {"click": {"url": MESSAGE.url}},
        },
    }
    assert answer == "200 id 25"
    words = "you need to provide a valid access token"
    server.answers(401, {"error": "Unauthorized", "errorCode": 401, "errorDescription": words})
    failed = await _failure("gotify", server, outgoing)
    assert (failed.message, failed.permanent) == (f"Gotify answered 401 {words}", True)


async def test_telegram(server: FarEnd, outgoing: Outgoing) -> None:
    server.answers(200, {"ok": True, "result": {"message_id": 99}})
    told, answer = await _sent("telegram", server, outgoing, topic="12")
    assert told.path == f"/bot123456789:{SECRET}/sendMessage"
    assert told.json()["chat_id"] == "-100123"
    assert told.json()["message_thread_id"] == 12
    assert told.json()["link_preview_options"] == {"is_disabled": True}
    assert told.json()["text"] == f"🚨 {MESSAGE.title}\n\n{MESSAGE.text}\n\n{MESSAGE.url}"
    assert answer == "200 message 99"
    hostile, _ = await _sent("telegram", server, outgoing, HOSTILE)
    assert "parse_mode" not in hostile.json()  # so that this stays text:
    assert HOSTILE.text in hostile.json()["text"]
    cut, _ = await _sent("telegram", server, outgoing, replace(MESSAGE, text="🚨" * 4096))
    assert len(cut.json()["text"].encode("utf-16-le")) // 2 <= 4096


async def test_telegram_says_when_to_come_back(server: FarEnd, outgoing: Outgoing) -> None:
    words = "Too Many Requests: retry after 35"
    server.answers(
        429,
        {"ok": False, "error_code": 429, "description": words, "parameters": {"retry_after": 35}},
    )
    failed = await _failure("telegram", server, outgoing)
    assert failed.message == f"Telegram answered 429 {words}"
    assert (failed.permanent, failed.retry_after) == (False, 35)
    server.answers(400, {"ok": False, "description": "Bad Request: chat not found"})
    failed = await _failure("telegram", server, outgoing)
    assert (failed.message, failed.permanent) == (
        "Telegram answered 400 Bad Request: chat not found",
        True,
    )


async def test_slack(server: FarEnd, outgoing: Outgoing) -> None:
    server.answers(200, "ok")
    told, answer = await _sent("slack", server, outgoing)
    assert told.path == f"/services/T0/B0/{SECRET}"
    assert told.json() == {
        "text": f"🚨 *{MESSAGE.title}*\n{MESSAGE.text}\n"
        "https://hive.example.org/repositories/7?a=1&amp;b=2",
        "unfurl_links": False,
        "unfurl_media": False,
    }
    assert answer == "200 ok"
    hostile, _ = await _sent("slack", server, outgoing, HOSTILE)
    assert "<" not in hostile.json()["text"]
    assert "&lt;!channel&gt;" in hostile.json()["text"]
    server.answers(404, "no_team")
    failed = await _failure("slack", server, outgoing)
    assert (failed.message, failed.permanent) == ("Slack answered 404 no_team", True)


async def test_discord(server: FarEnd, outgoing: Outgoing) -> None:
    server.answers(200, {"id": "1234"})
    url = f"{server.url}/api/webhooks/1/{SECRET}?thread_id=5"
    told, answer = await _sent("discord", server, outgoing, url=url)
    assert told.path == f"/api/webhooks/1/{SECRET}?thread_id=5&wait=true"
    assert told.json()["allowed_mentions"] == {"parse": []}
    [embed] = told.json()["embeds"]
    assert embed["title"] == MESSAGE.title
    assert embed["timestamp"] == "2026-11-23T17:05:00Z"
    assert embed["url"] == MESSAGE.url
    assert answer == "200 message 1234"
    hostile, _ = await _sent("discord", server, outgoing, HOSTILE)
    [embed] = hostile.json()["embeds"]
    assert r"\[x\]\(http\://evil\)" in embed["description"]
    long = replace(HOSTILE, title="*" * 999, text="*" * 9999)
    cut, _ = await _sent("discord", server, outgoing, long)
    [embed] = cut.json()["embeds"]
    assert len(embed["title"]) <= 256
    assert len(embed["description"]) <= 4096
    assert embed["description"].endswith(r"\*…")
    server.answers(429, {"message": "You are being rate limited.", "retry_after": 1.5})
    failed = await _failure("discord", server, outgoing)
    assert failed.message == "Discord answered 429 You are being rate limited."
    assert (failed.permanent, failed.retry_after) == (False, 1.5)


async def test_mattermost(server: FarEnd, outgoing: Outgoing) -> None:
    server.answers(200, "ok")
    told, _ = await _sent("mattermost", server, outgoing, HOSTILE)
    text = told.json()["text"]
    assert told.path == f"/hooks/{SECRET}"
    assert "@channel" not in text
    assert "@everyone" not in text
    assert "\\<script\\>" in text
    assert text.endswith(f"<{HOSTILE.url}>")
    cut, _ = await _sent("mattermost", server, outgoing, replace(MESSAGE, text="*" * 20_000))
    assert len(cut.json()["text"]) <= 16_383
    server.answers(
        403, {"id": "web.incoming_webhook.channel_locked", "message": "This webhook is locked."}
    )
    failed = await _failure("mattermost", server, outgoing)
    assert failed.message == "Mattermost answered 403 This webhook is locked."


async def test_matrix_is_told_once_however_often_it_is_sent(
    server: FarEnd, outgoing: Outgoing
) -> None:
    server.answers(200, {"event_id": "$abc"})
    told, answer = await _sent("matrix", server, outgoing, HOSTILE)
    again, _ = await _sent("matrix", server, outgoing, HOSTILE)
    assert told.method == "PUT"
    assert told.path == again.path
    assert told.path == (
        "/_matrix/client/v3/rooms/%21abc%3Aexample.org/send/m.room.message/delivery-17"
    )
    assert told.headers["Authorization"] == f"Bearer {SECRET}"
    assert told.json()["msgtype"] == "m.text"
    assert HOSTILE.text in told.json()["body"]
    assert "<script" not in told.json()["formatted_body"]
    assert "&lt;script&gt;" in told.json()["formatted_body"]
    assert told.json()["m.mentions"] == {}
    assert answer == "200 $abc"
    server.answers(
        429, {"errcode": "M_LIMIT_EXCEEDED", "error": "Too many", "retry_after_ms": 2500}
    )
    failed = await _failure("matrix", server, outgoing)
    assert (failed.permanent, failed.retry_after) == (False, 2.5)


async def test_pagerduty_keeps_one_alert_a_problem_and_only_its_own_end_resolves_it(
    server: FarEnd, outgoing: Outgoing
) -> None:
    server.answers(202, {"status": "success", "message": "Event processed", "dedup_key": "k"})
    told, answer = await _sent("pagerduty", server, outgoing)
    opened = told.json()
    assert told.path == "/v2/enqueue"
    assert opened["routing_key"] == f"{SECRET}xx"
    assert opened["event_action"] == "trigger"
    assert opened["payload"]["summary"] == MESSAGE.title
    assert opened["payload"]["severity"] == "critical"
    assert opened["payload"]["source"] == "töpfe"
    assert opened["client_url"] == MESSAGE.url
    assert answer == "202 Event processed"
    known = replace(MESSAGE, severity=Severity.INFO, phase="acknowledged")
    acknowledged = (await _sent("pagerduty", server, outgoing, known))[0].json()
    assert acknowledged["event_action"] == "acknowledge"
    assert acknowledged["dedup_key"] == opened["dedup_key"]
    recovered = replace(MESSAGE, severity=Severity.RECOVERY, phase="resolved", id="delivery-18")
    resolved = (await _sent("pagerduty", server, outgoing, recovered))[0].json()
    assert resolved["event_action"] == "resolve"
    assert resolved["dedup_key"] == opened["dedup_key"]
    quota = replace(recovered, incident="repository-7/quota-filling-up")
    other = (await _sent("pagerduty", server, outgoing, quota))[0]
    assert other.json()["dedup_key"] != opened["dedup_key"]
    words = "Length of 'routing_key' is incorrect (should be 32 characters)"
    server.answers(400, {"status": "invalid event", "errors": [words]})
    failed = await _failure("pagerduty", server, outgoing)
    assert (failed.message, failed.permanent) == (f"PagerDuty answered 400 {words}", True)


async def test_pagerduty_is_not_bothered_with_what_is_no_problem(
    server: FarEnd, outgoing: Outgoing
) -> None:
    channel, settings, means = prepared("pagerduty", server.url, outgoing)
    digest = replace(MESSAGE, kind="digest", severity=Severity.INFO, incident=None, phase=None)
    sent = await channel.send(settings, digest, means)
    assert sent.answer == "Not sent: only problems open incidents."
    assert server.received == []


async def test_a_test_of_pagerduty_leaves_no_alert_open(server: FarEnd, outgoing: Outgoing) -> None:
    channel, settings, means = prepared("pagerduty", server.url, outgoing)
    trial = replace(MESSAGE, kind="test", severity=Severity.INFO, incident=None, phase=None)
    server.answers(202, {"message": "Event processed"})
    await channel.send(settings, trial, means)
    first, last = (one.json() for one in server.received)
    assert (first["event_action"], last["event_action"]) == ("trigger", "resolve")
    assert first["dedup_key"] == last["dedup_key"]


async def test_teams_gets_an_adaptive_card_by_a_workflow(
    server: FarEnd, outgoing: Outgoing
) -> None:
    server.answers(202)
    facts = Facts((("Last backup", "yesterday"), ("Size", "8 GB")))
    buttons = (Button("Acknowledge", "https://hive.example.org/answer/a"),)
    message = replace(MESSAGE, layout=(Paragraph(("Gone.",)), facts), buttons=buttons)
    told, answer = await _sent("teams", server, outgoing, message)
    sent = told.json()
    [attachment] = sent["attachments"]
    assert (sent["type"], attachment["contentType"]) == (
        "message",
        "application/vnd.microsoft.card.adaptive",
    )
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    head, title, lead, listed = card["body"]
    assert head["inlines"][0]["color"] == "Attention"
    assert title["inlines"][0]["text"] == MESSAGE.title
    assert lead["inlines"][0]["text"] == "Gone."
    assert "".join(run["text"] for run in listed["inlines"]) == (
        "Last backup: yesterday\nSize: 8 GB\n"
    )
    assert [(one["title"], one["url"]) for one in card["actions"]] == [
        ("Show in Borg Hive", MESSAGE.url),
        ("Acknowledge", "https://hive.example.org/answer/a"),
    ]
    assert answer == "202"
    hostile, _ = await _sent("teams", server, outgoing, HOSTILE)
    # runs of text are shown as they are
    assert {one["type"] for one in hostile.json()["attachments"][0]["content"]["body"]} == {
        "RichTextBlock"
    }
    long = replace(MESSAGE, text="ä" * 100_000)
    assert len((await _sent("teams", server, outgoing, long))[0].body) < 28_000
    server.answers(400, {"error": {"code": "BadRequest", "message": "Property 'type' must be"}})
    failed = await _failure("teams", server, outgoing)
    assert (failed.message, failed.permanent) == (
        "Teams answered 400 Property 'type' must be",
        True,
    )


def test_a_connector_that_microsoft_has_retired_is_refused_in_words() -> None:
    with pytest.raises(InvalidInput, match="retired"):
        Teams.read({"url": "https://contoso.webhook.office.com/webhookb2/1/IncomingWebhook/2"})


async def test_buttons_are_links_where_a_service_shows_them(
    server: FarEnd, outgoing: Outgoing
) -> None:
    url = "https://hive.example.org/answer/a.1.2.x"
    message = replace(MESSAGE, buttons=(Button("Acknowledge", url),))
    bodies = {}
    for kind in ("slack", "mattermost", "telegram", "ntfy", "matrix"):
        server.received.clear()
        bodies[kind] = (await _sent(kind, server, outgoing, message))[0].json()
    assert f"<{url}|Acknowledge>" in bodies["slack"]["text"]
    assert f"[Acknowledge]({url})" in bodies["mattermost"]["text"]
    assert f"Acknowledge: {url}" in bodies["telegram"]["text"]
    assert bodies["ntfy"]["actions"] == [{"action": "view", "label": "Acknowledge", "url": url}]
    assert f'<a href="{url}">Acknowledge</a>' in bodies["matrix"]["formatted_body"]
