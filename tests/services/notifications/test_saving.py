from __future__ import annotations

import pytest

from hive.errors import Conflict, Forbidden, NotFound
from hive.kinds import ShareLevel
from hive.models import Channel
from hive.services.notifications import channels, rules, saving
from hive.services.notifications.rules import AddRule, ChangeRule
from hive.services.notifications.saving import AddChannel, ChangeChannel
from hive.services.permissions import OPERATOR
from tests.factories import People

# Private: refused before anything is sent.
HOOK = {"url": "http://127.0.0.1:9/", "method": "POST"}


async def test_a_channel_is_tried_as_soon_as_it_is_saved(people: People) -> None:
    saved = await saving.add_channel(
        people.alice, AddChannel(name="hook", kind="webhook", settings=HOOK)
    )
    assert (saved.channel.owner, saved.channel.name) == ("alice", "hook")
    assert saved.trial is not None
    assert not saved.trial.arrived
    assert saved.channel.condition.fails  # as it is after the trial
    renamed = await saving.change_channel(
        people.alice, saved.channel.id, ChangeChannel(name="other")
    )
    assert (renamed.channel.name, renamed.trial) == ("other", None)
    again = await saving.change_channel(
        people.alice, saved.channel.id, ChangeChannel(settings=HOOK)
    )
    assert again.trial is not None
    disabled = await saving.change_channel(
        people.alice, saved.channel.id, ChangeChannel(enabled=False, settings=HOOK)
    )
    assert disabled.trial is None


async def test_who_gives_the_right_to_manage_a_channel_away_is_answered_all_the_same(
    people: People,
) -> None:
    saved = await saving.add_channel(
        people.alice, AddChannel(name="hook", kind="webhook", settings=HOOK)
    )
    manage = ChangeChannel(share_levels={"team": ShareLevel.MANAGE})
    await saving.change_channel(people.alice, saved.channel.id, manage)
    gone = ChangeChannel(enabled=True, share_levels={"team": None})
    found = await saving.change_channel(people.bob, saved.channel.id, gone)
    assert (found.channel.groups, found.trial) == ((), None)
    with pytest.raises(NotFound):
        await saving.change_channel(people.bob, saved.channel.id, ChangeChannel(name="mine"))


async def test_only_administrators_allow_the_address_that_was_refused(people: People) -> None:
    wanted = AddChannel(name="hook", kind="webhook", settings=HOOK)
    made = (await saving.add_channel(people.alice, wanted)).channel
    await Channel.filter(id=made.id).update(refused_address="192.168.7.7")
    with pytest.raises(Forbidden):
        await saving.allow_refused_address(people.alice, made.id)
    found = await saving.allow_refused_address(OPERATOR, made.id)
    assert found.network == "192.168.7.7/32"
    await Channel.filter(id=made.id).update(refused_address=None)
    with pytest.raises(Conflict):
        await saving.allow_refused_address(OPERATOR, made.id)


async def test_a_rule_has_the_channels_that_are_chosen_and_says_what_it_would_have_sent(
    people: People,
) -> None:
    ids = [
        (await channels.add(people.alice, name, owner="alice", kind="webhook", settings=HOOK)).id
        for name in ("one", "two", "three")
    ]
    saved = await saving.add_rule(people.alice, "alice", AddRule(name="all", channels=ids[:2]))
    assert saved.preview.rule == "all"
    changes = ChangeRule(channels=ids[1:])
    changed = await saving.change_rule(people.alice, saved.rule.id, changes)
    assert set(changed.rule.channel_ids) == set(ids[1:])
    assert await rules.find_rule_by_id(people.alice, saved.rule.id) == changed.rule
