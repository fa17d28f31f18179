"""Who is told, by which channels, and when."""

from __future__ import annotations

import pytest

from hive.errors import InvalidInput, NotFound
from hive.kinds import DeliveryState, EventKind, Severity
from hive.models import Delivery, User
from hive.services.accounts import users
from hive.services.notifications import channels, preferences, rules
from hive.services.notifications.rules import AddRule
from hive.services.outbox import outbox
from hive.services.permissions import OPERATOR
from tests import factories
from tests.factories import People
from tests.services.notifications.support import NOON, at, happen, told_to, webhook

URL = "https://example.org/hook"


async def test_owner_and_group_members_are_told_and_strangers_are_not(people: People) -> None:
    for actor in (people.alice, people.bob, people.charlie, people.admin):
        await webhook(actor, URL)
    shared = await factories.make_repository(people.alice, share_with="team")
    await happen(shared.id, EventKind.DOWN)
    assert await told_to(people.alice) == ["down"]
    assert await told_to(people.bob) == ["down"]
    assert await told_to(people.charlie) == []
    assert await told_to(people.admin) == ["down"]  # what is critical, of all repositories
    await preferences.change(people.admin, "admin", is_told_of_critical=False)
    await preferences.change(people.bob, "bob", is_told_of_shared=False)
    await happen(shared.id, EventKind.MASS_DELETION)
    assert await told_to(people.bob) == ["down"]
    await users.set_user(OPERATOR, people.alice.user_id or 0, users.ChangeUser(enabled=False))
    await happen(shared.id, EventKind.SHRUNK)
    assert await told_to(people.alice) == ["down", "mass deletion"]


async def test_what_is_no_news_is_told_to_nobody(people: People) -> None:
    await webhook(people.alice, URL)
    made = await factories.make_repository(people.alice)
    for kind in (EventKind.OPENED, EventKind.CLOSED, EventKind.UPDATED, EventKind.LATE):
        await happen(made.id, kind)
    await happen(made.id, EventKind.DOWN, muted=True)
    await happen(made.id, EventKind.RECOVERED, former="late")
    assert await told_to(people.alice) == []
    await happen(made.id, EventKind.RECOVERED, former="down")
    assert await told_to(people.alice) == ["recovered"]


async def test_who_has_no_channel_is_told_at_their_own_address_if_there_is_mail(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await factories.make_repository(people.alice)
    await User.filter(id=people.alice.user_id).update(email="alice@example.org")
    await happen(made.id, EventKind.DOWN)
    assert await told_to(people.alice) == []  # this server sends no mail
    monkeypatch.setattr("hive.services.outbox.sending.sends_mail", lambda: True)
    await happen(made.id, EventKind.DOWN)
    (row,) = await Delivery.all()
    assert (row.channel_id, row.channel_kind) == (None, "own mail")


async def test_rules_choose_by_repository_tag_kind_and_severity_and_add_up(people: People) -> None:
    for name in ("pager", "chat", "mail"):
        await webhook(people.alice, URL, name)
    made = await factories.make_repository(people.alice)
    other = await factories.make_repository(people.alice, name="other")
    for wanted in (
        AddRule(name="all", channels=["chat"]),
        AddRule(
            name="this one",
            channels=["pager", "chat"],
            repository="documents",
            severity=Severity.CRITICAL,
        ),
        AddRule(name="late ones", channels=["mail"], kinds=["late"]),
    ):
        await rules.add(people.alice, "alice", wanted)

    async def by(kind: EventKind, repository_id: int) -> list[str]:
        await happen(repository_id, kind)
        newest = await Delivery.all().order_by("-notification_id").first()
        if newest is None:
            return []
        rows = await Delivery.filter(notification_id=newest.notification_id)
        return sorted(row.channel_name for row in rows)

    assert await by(EventKind.DOWN, made.id) == ["chat", "pager"]
    assert await by(EventKind.DOWN, other.id) == ["chat"]
    assert await by(EventKind.STALE_LOCK, made.id) == ["chat"]
    assert await by(EventKind.LATE, other.id) == ["mail"]
    assert await by(EventKind.RECOVERED, other.id) == ["chat", "mail"]


async def test_a_rule_uses_only_what_its_person_may_use(people: People) -> None:
    private = await webhook(people.alice, URL, "private")
    made = await factories.make_repository(people.alice, share_with="team")
    with pytest.raises(NotFound):
        await rules.add(people.bob, "bob", AddRule(name="mine", channels=["private"]))
    await channels.share(people.alice, private.id, "team")
    await rules.add(
        people.bob, "bob", AddRule(name="mine", channels=["private"], repository="documents")
    )
    with pytest.raises(NotFound):
        await rules.add(people.charlie, "charlie", AddRule(name="x", channels=["private"]))
    with pytest.raises(NotFound):  # nor does he learn who else there is
        await rules.add(people.bob, "alice", AddRule(name="hers", channels=["private"]))
    for wrong in (
        AddRule(name="x", channels=[]),
        AddRule(name="x", channels=["private"], kinds=["downn"]),
        AddRule(name="x", channels=["private"], quiet="22-7"),
        AddRule(name="", channels=["private"]),
    ):
        with pytest.raises(InvalidInput):
            await rules.add(people.alice, "alice", wrong)
    await happen(made.id, EventKind.DOWN)
    assert await told_to(people.bob) == ["down"]
    await channels.unshare(people.alice, private.id, "team")
    await happen(made.id, EventKind.STILL_DOWN)
    assert await told_to(people.bob) == ["down"]  # it is no longer shared, and bob has no other


async def test_quiet_hours_hold_back_until_they_end_and_critical_things_pass(
    people: People,
) -> None:
    await webhook(people.alice, URL)
    await User.filter(id=people.alice.user_id).update(timezone="Europe/Berlin")
    made = await factories.make_repository(people.alice)
    await rules.add(
        people.alice, "alice", AddRule(name="night", channels=["hook"], quiet="22:00-07:00")
    )
    at(NOON.replace(month=3, day=29, hour=0, minute=30))  # the clocks go forward at one o'clock
    await happen(made.id, EventKind.STALE_LOCK)
    await happen(made.id, EventKind.DOWN)
    held, now = await Delivery.all().order_by("id")
    assert held.next_at == NOON.replace(month=3, day=29, hour=5)  # seven in summer time
    assert now.next_at == NOON.replace(month=3, day=29, hour=0, minute=30)


async def test_what_is_over_before_it_could_be_told_is_told_to_nobody(people: People) -> None:
    await webhook(people.alice, URL)
    made = await factories.make_repository(people.alice)
    await rules.add(
        people.alice, "alice", AddRule(name="night", channels=["hook"], quiet="22:00-07:00")
    )
    at(NOON.replace(hour=23))
    await happen(made.id, EventKind.STALE_LOCK)
    await happen(made.id, EventKind.ALARM_ENDED, alarm="stale lock")
    rows = await Delivery.all().order_by("id")
    assert [row.state for row in rows] == [DeliveryState.DROPPED, DeliveryState.DROPPED]
    at(NOON)
    await happen(made.id, EventKind.STALE_LOCK)
    at(NOON.replace(hour=23))
    await happen(made.id, EventKind.ALARM_ENDED, alarm="stale lock")
    assert [row.state for row in await Delivery.all().order_by("id")][2:] == [
        DeliveryState.WAITING,
        DeliveryState.WAITING,
    ]


async def test_administrators_are_told_of_the_server_once_for_each_key(people: People) -> None:
    await webhook(people.admin, URL)
    await webhook(people.alice, URL)
    for _ in range(2):
        await outbox.tell_administrators("k", "disk filling up", Severity.WARNING, "Disk", "Full.")
    assert await told_to(people.admin) == ["disk filling up"]
    assert await told_to(people.alice) == []


async def test_preferences_stay_within_their_bounds(people: People) -> None:
    for values in ({"reminder_hours": 49}, {"expiration_days": 31}, {"digest_hour": 24}):
        with pytest.raises(InvalidInput):
            await preferences.change(people.alice, "alice", **values)
    with pytest.raises(NotFound):
        await preferences.change(people.bob, "alice", reminder_hours=2)
    changed = await preferences.change(people.alice, "alice", reminder_hours=2)
    assert (changed.reminder_hours, changed.expiration_days) == (2, 5)
