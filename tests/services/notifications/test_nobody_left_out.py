"""Nobody is left out: what would reach nobody goes to the administrators, and is shown before."""

from __future__ import annotations

import pytest

from hive.kinds import EventKind, Rest, Severity
from hive.models import Notification, User
from hive.services.accounts import dependents, users
from hive.services.delivery.courier import Courier
from hive.services.notifications import channels, preferences, reach, rule_preview, rules
from hive.services.notifications.reach import Unreachable
from hive.services.notifications.rules import AddRule
from hive.services.outbox import condition
from hive.services.permissions import OPERATOR
from tests import factories
from tests.factories import People
from tests.notify.far_end import FarEnd
from tests.services.notifications.support import NOON, at, deliver, happen, told_to, webhook

URL = "https://example.org/hook"


async def noted(name: str) -> list[str]:
    rows = Notification.filter(user__name=name).order_by("id")
    return [row.kind for row in await rows]


async def test_who_has_no_way_keeps_a_row_and_administrators_hear_it(people: People) -> None:
    await webhook(people.admin, URL)
    await preferences.change(people.admin, "admin", is_told_of_critical=False)
    made = await factories.make_repository(people.alice)
    for kind in (EventKind.DOWN, EventKind.STALE_LOCK, EventKind.KEY_FIRST_USED):
        await happen(made.id, kind)
    assert await noted("alice") == ["down", "stale lock", "key used for the first time"]
    assert await told_to(people.alice) == []
    assert await told_to(people.admin) == ["down", "stale lock"]  # warnings and worse
    text = (await Notification.get(user__name="admin", kind="down")).text
    reason = "alice has no mail address and no channel"
    assert text.startswith(f"Nobody else could be notified: {reason}.")
    found = await reach.reach(people.admin, made.id)
    assert found is not None
    assert found.words == f"admin by webhook ({reason})"
    assert await reach.unreachable(people.admin) == Unreachable(0, ())


async def test_a_repository_that_would_notify_nobody_is_counted_and_says_why(
    people: People,
) -> None:
    made = await factories.make_repository(people.alice)
    (one,) = (await reach.unreachable(OPERATOR)).first
    assert one.repository_id == made.id
    assert one.words == "nobody: alice has no mail address and no channel"
    worries = await reach.worries(OPERATOR)
    assert worries.sentences == ["1 repository would notify nobody: documents."]
    findings = await reach.findings(OPERATOR)
    assert "documents would notify nobody: alice" in " ".join(one.message for one in findings)
    await User.filter(name="alice").update(email="alice@example.org")
    (one,) = (await reach.unreachable(people.alice)).first
    assert one.words == "nobody: alice has a mail address, but this server has no mail relay"
    await webhook(people.alice, URL)
    assert (await reach.unreachable(OPERATOR)).count == 0
    found = await reach.reach(people.alice, made.id)
    assert found is not None
    assert found.words == "alice by webhook"


async def test_what_one_may_not_know_of_others_is_only_counted(people: People) -> None:
    for person in (people.alice, people.bob, people.admin):
        await webhook(person, URL)
    made = await factories.make_repository(people.alice, share_with="team")
    seen = await reach.reach(people.bob, made.id)
    assert seen is not None
    assert seen.words == "alice by webhook, bob by webhook, 1 other"
    assert await reach.reach(people.charlie, made.id) is None


async def test_the_repositories_of_a_disabled_owner_are_watched_by_administrators(
    people: People,
) -> None:
    await webhook(people.admin, URL)
    await webhook(people.alice, URL)
    await preferences.change(people.admin, "admin", is_told_of_critical=False)
    made = await factories.make_repository(people.alice)
    found = await dependents.of_user(people.admin, people.alice.user_id or 0)
    assert (found.repositories, found.is_empty) == (["documents"], False)
    assert "Its alarms go to the administrators." in " ".join(found.sentences)
    await users.set_user(OPERATOR, people.alice.user_id or 0, users.ChangeUser(enabled=False))
    await happen(made.id, EventKind.DOWN)
    await happen(made.id, EventKind.STALE_LOCK)
    assert await told_to(people.admin) == ["down", "stale lock"]
    text = (await Notification.get(user__name="admin", kind="down")).text
    assert "its owner alice is disabled" in text
    seen = await reach.reach(people.admin, made.id)
    assert seen is not None
    assert seen.words == "admin by webhook (its owner alice is disabled)"


async def test_a_rule_that_matches_nothing_silences_nobody_and_says_so(people: People) -> None:
    await webhook(people.alice, URL)
    made = await factories.make_repository(people.alice)
    await happen(made.id, EventKind.DOWN)
    rule = await rules.add(
        people.alice, "alice", AddRule(name="typo", channels=["hook"], tag="sever")
    )
    found = await rule_preview.preview(people.alice, rule.id)
    assert (found.sent, found.events, found.lost) == (0, 1, ())
    assert found.sentences[0].startswith("Warning: no repository has the tag sever")
    await happen(made.id, EventKind.MASS_DELETION)
    await happen(made.id, EventKind.STALE_LOCK)
    assert await told_to(people.alice) == ["down", "mass deletion", "stale lock"]
    await preferences.change(people.alice, "alice", rest=Rest.CRITICAL)
    await happen(made.id, EventKind.SHRUNK)
    await happen(made.id, EventKind.SESSION_FAILED)
    assert (await told_to(people.alice))[3:] == ["repository shrunk"]


async def test_a_preview_counts_what_is_no_longer_sent(people: People) -> None:
    await webhook(people.alice, URL)
    made = await factories.make_repository(people.alice)
    await preferences.change(people.alice, "alice", rest=Rest.NOTHING)
    for kind in (EventKind.DOWN, EventKind.STALE_LOCK, EventKind.SESSION_FAILED):
        await happen(made.id, kind)
    critical = AddRule(name="critical", channels=["hook"], severity=Severity.CRITICAL)
    rule = await rules.add(people.alice, "alice", critical)
    found = await rule_preview.preview(people.alice, rule.id)
    assert (found.events, found.sent) == (3, 1)
    assert sorted(found.lost) == [("session failed", 1), ("stale lock", 1)]
    assert "No longer sent by any rule: " in found.sentences[-1]


async def test_an_administrators_rule_on_others_makes_them_a_recipient(people: People) -> None:
    await webhook(people.alice, URL)
    await webhook(people.admin, URL, "pager")
    made = await factories.make_repository(people.alice)
    await happen(made.id, EventKind.STALE_LOCK)
    assert await told_to(people.admin) == []
    await rules.add(people.admin, "admin", AddRule(name="hers", channels=["pager"], owner="alice"))
    await happen(made.id, EventKind.SESSION_FAILED)
    assert await told_to(people.admin) == ["session failed"]


async def test_the_query_count_of_reach_does_not_grow(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tortoise.backends.sqlite.client import SqliteClient  # noqa: PLC0415

    queries: list[str] = []
    former = SqliteClient.execute_query

    async def count(self: SqliteClient, query: str, values: list[object] | None = None) -> object:
        queries.append(query)
        return await former(self, query, values)

    counts = []
    for number in range(2):
        for index in range(5):
            await factories.make_repository(people.alice, f"r{number}{index}", share_with="team")
        with monkeypatch.context() as patch:
            patch.setattr(SqliteClient, "execute_query", count)
            queries.clear()
            await reach.worries(OPERATOR)
            counts.append(len(queries))
    assert counts[0] == counts[1]


async def test_while_every_way_fails_administrators_stand_in(
    people: People, server: FarEnd, courier: Courier
) -> None:
    at(NOON)
    await webhook(people.alice, f"{server.url}/gone", "phone")
    await webhook(people.admin, f"{server.url}/admin", "pager")
    await preferences.change(people.admin, "admin", is_told_of_critical=False)
    made = await factories.make_repository(people.alice)
    lane = (await channels.find(people.alice, "phone")).id, 0
    await condition.note_fails(lane, "It is gone.", is_permanent=True)
    await happen(made.id, EventKind.SESSION_FAILED)
    assert await told_to(people.admin) == ["session failed"]
    seen = await reach.reach(people.admin, made.id)
    assert seen is not None
    assert seen.words == "admin by webhook (phone of alice fails)"
    await deliver(courier)  # it is there again
    seen = await reach.reach(people.admin, made.id)
    assert seen is not None
    assert seen.words == "alice by webhook"
