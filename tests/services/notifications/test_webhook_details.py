"""What programs get about a repository, as docs/reference/webhooks.md lists it."""

from __future__ import annotations

import re
from pathlib import Path

from hive import clock
from hive.kinds import Access, EventKind
from hive.models import Repository, Session
from hive.services.delivery.courier import Courier
from hive.services.health import review, schedules
from tests import factories
from tests.factories import People
from tests.notify.far_end import FarEnd
from tests.services.notifications.support import NOON, at, deliver, happen, later, webhook

_DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "webhooks.md"


def documented() -> list[set[str]]:
    """The members of `details`, by the rows of the table."""
    rows = re.findall(r"^\| (`.*?) \|", _DOCUMENT.read_text(), re.MULTILINE)
    return [set(re.findall(r"`(\w+)`", row)) for row in rows]


async def test_a_missing_backup_comes_with_what_is_known_of_the_repository(
    people: People, server: FarEnd, courier: Courier
) -> None:
    at(NOON)
    await webhook(people.alice, server.url)
    key = await factories.make_key(people.alice)
    made = await factories.make_repository(people.alice, accesses={key.name: Access.FULL})
    await factories.open_session(made, key)
    await Session.all().update(started_at=NOON)
    await schedules.watch(people.alice, made.id)
    await review.note_backup(made.id, clock.now())
    await Repository.filter(id=made.id).update(size_bytes=5_000)
    await Session.all().update(ended_at=clock.now())
    later(hours=1)
    await happen(made.id, EventKind.REFUSED, "Key other is disabled.")
    later(days=3)
    await review.review_due()
    await deliver(courier)
    [sent] = [one.json() for one in server.received if one.json()["kind"] == "down"]
    details = sent["details"]
    of_all = [row for row in documented() if row & {"message", "incident", "last_key", "refusals"}]
    assert len(of_all) == 4
    for members in of_all:
        assert members <= set(details), members
    assert details["incident"] == f"repository-{made.id}/backup"
    assert details["phase"] == "open"
    assert details["last_backup_at"] == "2026-03-02T12:00:00Z"
    assert details["due_at"] == "2026-03-03T12:00:00Z"
    assert details["size_bytes"] == 5_000
    assert (details["last_key"], details["last_address"]) == ("laptop", "192.0.2.7")
    assert (details["refusals"], details["last_refusal"]) == (1, "Key other is disabled.")
    assert "Last client: key laptop from 192.0.2.7, 2026-03-02 12:00 UTC" in sent["text"]
    assert "Refused since then: once: Key other is disabled." in sent["text"]
    assert sent["url"] is None or sent["url"] not in sent["text"]
