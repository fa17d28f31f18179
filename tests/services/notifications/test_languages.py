"""Each person is notified in their own language and time zone; programs read English."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hive.config.settings import MailSettings
from hive.kinds import Digest, EventKind, Health, Role, Severity
from hive.models import Notification, Preference, Repository, User
from hive.notify.channel import Means
from hive.sentences import say
from hive.services import runtime
from hive.services.alarms import alarms
from hive.services.delivery.courier import Courier
from hive.services.health import review, schedules
from hive.services.health.schedules import ScheduleChange
from hive.services.notifications import channels, digests, trials
from hive.services.outbox import outbox
from hive.services.permissions import Actor
from tests import factories
from tests.factories import People
from tests.notify.far_end import FarEnd
from tests.notify.test_email import Relay, relay
from tests.services.notifications.support import NOON, at, deliver, happen, later, webhook


@pytest.fixture
async def people(people: People) -> People:
    """Alice reads German in Berlin, bob has chosen nothing."""
    at(NOON)
    await User.all().update(created_at=NOON - timedelta(days=100))
    await User.filter(id=people.alice.user_id).update(language="de", timezone="Europe/Berlin")
    return people


@pytest.fixture
async def mails() -> AsyncIterator[Relay]:
    async with relay() as server:
        yield server


def by_mail(means: Means, server: Relay) -> Means:
    values = {"host": "127.0.0.1", "port": server.port, "security": "none"}
    return replace(means, mail=MailSettings.model_validate(values))


async def watched(owner: Actor, server: FarEnd) -> int:
    """A repository of which a backup is expected each day, and where its owner is notified."""
    await webhook(owner, f"{server.url}/{owner.name}")
    made = await factories.make_repository(owner)
    await schedules.set_schedule(owner, made.id, ScheduleChange(every=timedelta(days=1)))
    return made.id


def received(server: FarEnd, name: str) -> list[dict[str, Any]]:
    return [one.json() for one in server.received if one.path == f"/{name}"]


async def test_down_and_up_are_told_in_the_language_of_each(
    people: People, server: FarEnd, courier: Courier
) -> None:
    ids = [await watched(owner, server) for owner in (people.alice, people.bob)]
    later(days=3)
    await review.review_due()
    await deliver(courier)
    (german,), (english,) = received(server, "alice"), received(server, "bob")
    assert german["title"] == "documents: Sicherung fehlt"
    assert "Noch keine Sicherung, seit das Repository vor 3 Tagen" in german["text"]
    assert "fällig war sie täglich" in german["text"]
    assert "Zeit: 05.03.2026 13:00" in german["text"]  # in Berlin
    assert "Nachsehen, ob der Client an ist" in german["text"]
    assert english["title"] == "documents: a backup is missing"
    assert "No backup yet since the repository was added 3 days ago" in english["text"]
    assert "Time: 2026-03-05 12:00 UTC" in english["text"]
    for one in (german, english):  # what programs read
        assert (one["kind"], one["severity"]) == ("down", "critical")
        assert one["details"]["message"].startswith("No backup yet since the repository was")
    await Repository.filter(id__in=ids).update(last_backup_at=NOON + timedelta(days=3))
    await review.look_at_all()
    await review.review_due()
    await deliver(courier)
    assert received(server, "alice")[-1]["title"] == (
        "documents: Sicherungen sind wieder in Ordnung"
    )
    assert received(server, "bob")[-1]["title"] == "documents: backups are fine again"


async def test_a_critical_alarm_is_mailed_in_german(
    people: People, means: Means, mails: Relay
) -> None:
    for owner in (people.alice, people.bob):
        address = {"address": f"{owner.name}@example.org"}
        await channels.add(owner, "mail", owner=owner.name, kind="email", settings=address)
        made = await factories.make_repository(owner)
        await alarms.integrity_error(
            made.id, say("The repository is damaged: %(missing)s.", missing="x")
        )
    await deliver(Courier(by_mail(means, mails)))
    subjects = dict(zip(mails.recipients, (mail["Subject"] for mail in mails.mails), strict=True))
    assert subjects == {
        "alice@example.org": "[Kritisch] documents: das Repository ist beschädigt",
        "bob@example.org": "[Critical] documents: the repository is damaged",
    }
    bodies = {
        address: mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        for address, mail in zip(mails.recipients, mails.mails, strict=True)
    }
    assert "Das Repository ist beschädigt: x." in bodies["alice@example.org"]
    assert "Eigentümer: alice" in bodies["alice@example.org"]
    assert "The repository is damaged: x." in bodies["bob@example.org"]


async def test_a_digest_is_in_the_language_of_its_reader(people: People, server: FarEnd) -> None:
    for owner in (people.alice, people.bob):
        repository = await watched(owner, server)
        await Preference.update_or_create(
            user_id=owner.user_id, defaults={"digest": Digest.DAILY, "digest_hour": 7}
        )
        await Repository.filter(id=repository).update(
            size_bytes=8_330_000_000_000, last_backup_at=NOON, health=Health.FINE
        )
    later(hours=20)
    await digests.write_due()
    german = await Notification.filter(user_id=people.alice.user_id, kind="digest").get()
    english = await Notification.filter(user_id=people.bob.user_id, kind="digest").get()
    assert german.title == "Borg Hive, der letzte Tag: 1 in Ordnung"
    assert "IN ORDNUNG  documents: letzte Sicherung vor 20 Stunden, 8,33 TB" in german.text
    assert english.title == "Borg Hive, the last day: 1 fine"
    assert "FINE  documents: last backup 20 hours ago, 8.33 TB" in english.text


async def test_a_test_message_is_in_the_language_of_the_channels_owner(
    people: People, server: FarEnd, means: Means
) -> None:
    for owner in (people.alice, people.bob):
        channel = await webhook(owner, f"{server.url}/{owner.name}")
        await trials.test(owner, channel.id, means)
    (german,), (english,) = received(server, "alice"), received(server, "bob")
    assert german["title"] == "Borg Hive: das ist ein Test"
    first, _, where = german["text"].splitlines()
    assert first == "Der Kanal hook funktioniert. alice hat diese Nachricht angefordert."
    assert where.startswith(f"Sie kommt von Borg Hive auf dem Server {runtime.host_name()}.")
    assert english["title"] == "Borg Hive: this is a test"


async def test_what_others_said_is_not_translated(people: People, server: FarEnd) -> None:
    """The name of a repository may be a word that the catalogue knows."""
    await webhook(people.alice, server.url)
    made = await factories.make_repository(people.alice, name="fine")
    await happen(made.id, EventKind.SESSION_FAILED, "Start the server.")
    row = await Notification.filter(user_id=people.alice.user_id).get()
    assert row.title == "fine: eine Sitzung ist fehlgeschlagen"
    assert row.text.startswith("Start the server.\n")  # text of a former version


async def test_administrators_read_of_the_server_in_their_languages(people: People) -> None:
    await User.filter(id=people.alice.user_id).update(role=Role.ADMINISTRATOR)
    await webhook(people.alice, "https://example.org/a")
    await webhook(people.admin, "https://example.org/b")
    await outbox.tell_administrators(
        "k",
        EventKind.DISK_FILLING,
        Severity.WARNING,
        say("Mail is not delivered"),
        say("The database fails"),
    )
    rows = {row.user_id: row async for row in Notification.all()}
    assert people.alice.user_id is not None
    assert people.admin.user_id is not None
    german, english = rows[people.alice.user_id], rows[people.admin.user_id]
    assert (german.title, german.text) == (
        "Mail wird nicht zugestellt",
        "Die Datenbank funktioniert nicht",
    )
    assert (english.title, english.text) == ("Mail is not delivered", "The database fails")
