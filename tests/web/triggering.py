"""Doing with triggers what people do, through the pages."""

from __future__ import annotations

import re
from html import unescape

from hive.kinds import TriggerKind
from hive.services import triggers
from hive.services.permissions import Actor
from hive.services.triggers import TriggerInfo
from tests.web.browser import Browser

HOOK = {
    "kind": "webhook",
    "name": "wake the laptop",
    "method": "PUT",
    "header": "Authorization: Bearer hidden-bearer\r\nX-Which: hidden-which",
    "body": '{"wake": "{login}", "key": "hidden-body"}',
    "cron": "0 3 * * *",
    "timezone": "Europe/Berlin",
    "late": "yes",
}


def words(text: str) -> str:
    """The page as one reads it: no elements, single spaces."""
    return " ".join(unescape(re.sub(r"<[^>]+>", "", text)).split())


async def read(browser: Browser, path: str) -> str:
    answer = await browser.get(path)
    assert answer.status == 200, path
    return words(answer.text)


async def add_hook(actor: Actor, repository: int, url: str = "https://example.org/") -> TriggerInfo:
    given = {"url": url, "header.Token": "hidden-token", "body": "hidden-body"}
    return await triggers.add_trigger(
        actor,
        repository,
        triggers.AddTrigger(name="wake", kind=TriggerKind.WEBHOOK, settings=given),
    )


async def add(browser: Browser, repository: int, **fields: str) -> str:
    """Send the form as it should be; the path of the trigger."""
    answer = await browser.post(f"/repositories/{repository}/triggers/add", fields)
    assert answer.status == 303, words(answer.text)
    return answer.location


async def press(browser: Browser, path: str) -> str:
    """Press the button and wait for the call's end; the path of its run."""
    answer = await browser.post(f"{path}/start")
    assert (answer.status, answer.location.rpartition("/")[0]) == (303, "/triggers/runs")
    await triggers.settled()
    return answer.location
