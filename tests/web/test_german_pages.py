"""For a German reader the pages are German throughout: no English sentence is left in them."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cache

from hive import clock
from hive.kinds import EventKind
from hive.models import Alarm, Event, User
from hive.sentences import Size, say
from hive.services.alarms import server_alarms
from hive.services.alarms.server_alarms import Trouble
from hive.services.repositories.locks import LockInfo
from hive.services.repositories.quotas import Quota, Scope
from tests.web.browser import Browser
from tests.web.scene import Scene, make_scene
from tests.web.test_translations import Spoken, catalogue

FORMER = "Key laptop was renamed by hand."  # an event of a former version
_VALUE = re.compile(r"%\(\w+\)(?:s|r|g|\.\df)")
_FEW = 2  # blanks in a part of a sentence that is known to be English
_LETTERS = re.compile(r"[A-Za-z]{2}.*[ ].*[A-Za-z]{2}")


async def german_scene() -> Scene:
    made = await make_scene()
    await User.all().update(language="de", timezone="Europe/Berlin")
    await _make_all_happen(made)
    return made


@cache
def english() -> frozenset[str]:
    """What stands between the values of each sentence that is another one in German."""
    found = set()
    for one in catalogue("de"):
        ids = [one.id] if isinstance(one.id, str) else list(one.id or ())
        strings = [one.string] if isinstance(one.string, str) else list(one.string or ())
        for text, translated in zip(ids, strings, strict=False):
            if text != translated:
                parts = (" ".join(part.replace("%%", "%").split()) for part in _VALUE.split(text))
                found |= {
                    part for part in parts if part.count(" ") >= _FEW and part not in translated
                }
    return frozenset(found)


def left_in_english(page: str) -> list[str]:
    """Texts and spoken attributes of a page that are a sentence of the catalogue, untranslated."""
    spoken = Spoken()
    spoken.feed(page)
    spoken.close()
    texts = {" ".join(text.split()) for text in spoken.texts}
    candidates = sorted(text for text in texts if _LETTERS.search(text))
    return [text for text in candidates if any(part in text for part in english())]


async def _make_all_happen(scene: Scene) -> None:
    """An event and an alarm of each kind; what they say has values of each sort."""
    now = clock.now()
    quota = Quota(Scope.REPOSITORY, scene.repository, "documents", 10_000_000_000)
    lock = LockInfo(
        host_id="nas@1",
        pid=4711,
        is_exclusive=True,
        since=now - timedelta(days=3),
        is_ours=False,
        is_dead=True,
        is_stale=True,
    )
    sayings = [
        quota.refusal(10_500_000_000),
        say("A stale lock blocks other clients: %(locks)s.", locks=lock.in_words(now)),
        say("The quota has room again."),
        say(
            "The staged import, %(size)s, was discarded %(why)s.",
            size=Size(5),
            why=say("by %(user)s", user="alice"),
        ),
    ]
    for number, kind in enumerate(EventKind):
        message = sayings[number % len(sayings)]
        await Event.create(repository_id=scene.repository, kind=kind, message=message, at=now)
        await Alarm.create(
            repository_id=scene.repository,
            kind=kind,
            level=1 + number % 2,
            message=message,
            since=now - timedelta(hours=number),
        )
    await Event.create(
        repository_id=scene.repository, kind=EventKind.CREATED, message=FORMER, at=now
    )
    await server_alarms.report(
        "clock",
        Trouble(
            EventKind.CLOCK_JUMPED,
            say("The server's clock jumped"),
            say("The clock is wrong: it showed %(at)s, which is long ago.", at=now),
            say("Start the server."),
        ),
    )


PATHS = (
    *("/", "/events", "/sessions", "/keys", "/trash", "/account", "/notifications/channels"),
    *("/notifications/rules", "/notifications/preferences", "/repositories/{id}"),
    *("/repositories/{id}/schedule", "/admin", "/admin/jobs", "/admin/addresses", "/admin/users"),
    *("/admin/locations", "/admin/audit", "/admin/settings"),
)


async def test_no_english_sentence_is_left_for_a_german_reader(browser: Browser) -> None:
    scene = await german_scene()
    left: dict[str, list[str]] = {}
    for name in ("root", "alice"):
        await browser.log_in(name)
        for path in PATHS:
            answer = await browser.get(path.replace("{id}", str(scene.repository)))
            if name == "alice" and path.startswith("/admin"):
                continue
            assert answer.status == 200, (name, path)
            assert '<html lang="de"' in answer.text
            found = left_in_english(answer.text)
            if found:
                left[f"{name} {path}"] = found
    assert left == {}


async def test_an_event_of_a_former_version_is_shown_as_it_is(browser: Browser) -> None:
    await german_scene()
    await browser.log_in("alice")
    assert FORMER in (await browser.get("/events")).text


def test_an_english_sentence_would_be_found() -> None:
    page = (
        "<p>Start the server.</p><p title='It is as No key opens this repository.'>Nichts</p>"
        "<p>Den Server starten.</p>"
    )
    assert left_in_english(page) == ["It is as No key opens this repository.", "Start the server."]
