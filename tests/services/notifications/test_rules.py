"""Rules that people write and change, and what those must not tell them."""

from __future__ import annotations

import pytest

from hive.errors import Conflict, HiveError, InvalidInput, NotFound
from hive.kinds import Severity
from hive.services.notifications import channels, rules
from hive.services.notifications.rules import AddRule, ChangeRule
from tests import factories
from tests.factories import People
from tests.services.notifications.support import webhook

URL = "https://example.org"


async def test_everything_of_a_rule_can_be_changed_and_what_is_not_given_stays(
    people: People,
) -> None:
    await webhook(people.alice, URL)
    await factories.make_repository(people.alice)
    made = await rules.add(
        people.alice, "alice", AddRule(name="all", channels=["hook"], tag="Office")
    )
    assert made.tag == "office"
    changed = await rules.change(
        people.alice,
        made.id,
        ChangeRule(
            name="nights",
            repository="documents",
            tag="",
            owner="alice",
            kinds=["down", "late"],
            severity=Severity.CRITICAL,
            quiet="22:00-7:00",
            is_quiet_for_critical=True,
        ),
    )
    assert (changed.name, changed.repository, changed.tag) == ("nights", "documents", None)
    assert (changed.owner, changed.kinds, changed.quiet) == (
        "alice",
        ("down", "late"),
        "22:00-07:00",
    )
    assert changed.channels == ("hook",)
    same = await rules.change(people.alice, made.id, ChangeRule(enabled=False))
    assert (same.kinds, same.severity, same.enabled) == (changed.kinds, Severity.CRITICAL, False)
    bare = await rules.change(
        people.alice, made.id, ChangeRule(repository="", owner="", kinds=(), quiet="")
    )
    assert (bare.repository, bare.owner, bare.kinds, bare.quiet) == (None, None, (), None)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        (ChangeRule(name=""), InvalidInput),
        (ChangeRule(name="alice/all"), InvalidInput),
        (ChangeRule(name="other"), Conflict),
        (ChangeRule(tag="no tag!"), InvalidInput),
        (ChangeRule(kinds=["earthquake"]), InvalidInput),
        (ChangeRule(quiet="at night"), InvalidInput),
        (ChangeRule(quiet="07:00-07:00"), InvalidInput),
        (ChangeRule(repository="photos"), InvalidInput),
        (ChangeRule(owner="charlie"), NotFound),  # no group in common: as if there were none
        (ChangeRule(owner="nobody"), NotFound),
    ],
)
async def test_a_change_that_makes_no_sense_changes_nothing(
    people: People, changes: ChangeRule, error: type[HiveError]
) -> None:
    await webhook(people.alice, URL)
    await factories.make_repository(people.charlie, "photos")
    made = await rules.add(
        people.alice, "alice", AddRule(name="all", channels=["hook"], owner="bob")
    )
    await rules.add(people.alice, "alice", AddRule(name="other", channels=["hook"]))
    with pytest.raises(error):
        await rules.change(people.alice, made.id, changes)
    assert await rules.find_rule(people.alice, "all") == made


async def test_a_rule_is_found_by_name_by_those_it_concerns_alone(people: People) -> None:
    for person in (people.alice, people.bob):
        await webhook(person, URL)
        await rules.add(person, person.name, AddRule(name="all", channels=["hook"]))
    assert (await rules.find_rule(people.bob, "all")).user == "bob"
    assert (await rules.find_rule(people.admin, "bob/all")).user == "bob"
    with pytest.raises(InvalidInput):
        await rules.find_rule(people.admin, "all")
    for reference in ("alice/all", "1"):
        with pytest.raises(NotFound):
            await rules.find_rule(people.bob, reference)


async def test_a_number_is_an_id_and_a_text_may_be_a_name(people: People) -> None:
    hook = await webhook(people.alice, URL)
    same = await webhook(people.alice, URL, str(hook.id))
    made = await factories.make_repository(people.alice)
    wanted = AddRule(name="all", channels=[hook.id], repository=made.id)
    info = await rules.add(people.alice, "alice", wanted)
    assert (info.channels, info.repository_id) == (("hook",), made.id)
    with pytest.raises(InvalidInput, match="several"):
        await rules.change(people.alice, info.id, ChangeRule(add_channels=[str(hook.id)]))
    info = await rules.change(
        people.alice, info.id, ChangeRule(add_channels=[same.id], remove_channels=[hook.id])
    )
    assert info.channel_ids == (same.id,)
    theirs = await factories.make_repository(people.charlie, "photos")
    with pytest.raises(NotFound):
        await rules.change(people.alice, info.id, ChangeRule(repository=theirs.id))


async def test_the_last_channel_is_not_taken_from_a_rule(people: People) -> None:
    await webhook(people.alice, URL)
    made = await rules.add(people.alice, "alice", AddRule(name="all", channels=["hook"]))
    with pytest.raises(InvalidInput) as refused:
        await rules.change(people.alice, made.id, ChangeRule(name="x", remove_channels=["hook"]))
    assert refused.value.field == "channels"
    assert await rules.find_rule_by_id(people.alice, made.id) == made


async def test_a_channel_that_is_no_longer_shared_can_be_taken_from_a_rule(people: People) -> None:
    hers, his = await webhook(people.alice, URL, "hers"), await webhook(people.bob, URL, "his")
    await channels.share(people.alice, hers.id, "team")
    made = await rules.add(people.bob, "bob", AddRule(name="all", channels=[hers.id, his.id]))
    await channels.unshare(people.alice, hers.id, "team")
    changed = await rules.change(people.bob, made.id, ChangeRule(remove_channels=[hers.id]))
    assert changed.channels == ("his",)
    with pytest.raises(NotFound):
        await rules.change(people.bob, made.id, ChangeRule(add_channels=[hers.id]))


async def test_a_rule_may_choose_among_what_its_person_sees_and_uses(people: People) -> None:
    await factories.make_repository(people.alice, share_with="team")
    await webhook(people.alice, URL, "hers")
    his = await webhook(people.bob, URL, "his")
    for asker in (people.bob, people.admin):
        found = await rules.choices(asker, "bob")
        assert list(found.owners) == ["alice", "bob"]
        assert [one.id for one in found.channels] == [his.id]
    own = await rules.choices(people.admin, "admin")
    assert {"alice", "bob", "charlie"} <= set(own.owners)
    assert list(own.channels) == []  # seen, but not to be told by
    with pytest.raises(NotFound):
        await rules.choices(people.bob, "alice")
