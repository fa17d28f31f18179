"""Channels that people set up: what they may do with them, and what nobody gets to see."""

from __future__ import annotations

import pytest

from hive.errors import Conflict, DeliveryFailed, Forbidden, InvalidInput, NotFound
from hive.kinds import ShareLevel
from hive.models import AuditEntry, Channel
from hive.notify.channel import Means
from hive.services.accounts import groups
from hive.services.notifications import channels, rules, trials
from hive.services.notifications.rules import AddRule
from hive.services.permissions import OPERATOR
from hive.services.secrets import settings_of
from tests.factories import People
from tests.notify.far_end import FarEnd
from tests.services.notifications.support import webhook

TOKEN = "tk_a-token-that-nobody-sees"


async def test_a_secret_never_comes_back_and_stays_when_other_things_change(
    people: People,
) -> None:
    settings = {"topic": "backups", "server": "https://ntfy.example.org", "token": TOKEN}
    made = await channels.add(people.alice, "phone", owner="alice", kind="ntfy", settings=settings)
    assert TOKEN not in repr(made)
    changed = await channels.change(people.alice, made.id, settings={"topic": "other"})
    assert TOKEN not in repr(changed)
    row = await Channel.get(id=made.id)
    assert (settings_of(row)["token"], settings_of(row)["topic"]) == (TOKEN, "other")
    assert all(TOKEN not in repr(entry.details) for entry in await AuditEntry.all())


async def test_a_wrong_setting_is_named(people: People) -> None:
    with pytest.raises(InvalidInput) as wrong:
        await channels.add(
            people.alice, "x", owner="alice", kind="ntfy", settings={"topic": "a", "topik": "b"}
        )
    assert wrong.value.field == "topik"
    with pytest.raises(InvalidInput, match="no kind"):
        await channels.add(people.alice, "x", owner="alice", kind="pigeon", settings={})
    with pytest.raises(Forbidden, match="administrators"):
        await channels.add(
            people.alice, "x", owner="alice", kind="apprise", settings={"url": "json://example.org"}
        )


async def test_a_share_lets_use_or_manage_and_others_see_nothing(people: People) -> None:
    made = await webhook(people.alice, "https://example.org")
    for actor in (people.bob, people.charlie):
        with pytest.raises(NotFound):
            await channels.find(actor, "hook")
        with pytest.raises(NotFound):
            await channels.change(actor, made.id, enabled=False)
    await channels.share(people.alice, made.id, "team")
    assert (await channels.find(people.bob, "alice/hook")).id == made.id
    with pytest.raises(Forbidden):
        await channels.change(people.bob, made.id, enabled=False)
    await channels.share(people.alice, made.id, "team", ShareLevel.MANAGE)
    assert not (await channels.change(people.bob, made.id, enabled=False)).enabled
    assert [info.name for info in await channels.list_channels(people.admin)] == ["hook"]


async def test_a_channel_in_use_is_not_deleted_unawares(people: People) -> None:
    made = await webhook(people.alice, "https://example.org")
    await rules.add(people.alice, "alice", AddRule(name="all", channels=["hook"]))
    with pytest.raises(Conflict, match="all"):
        await channels.delete(people.alice, made.id)
    await channels.delete(people.alice, made.id, with_rules=True)
    assert await channels.list_channels(people.alice) == []


async def test_a_test_tells_what_the_far_end_really_answers(
    people: People, server: FarEnd, means: Means
) -> None:
    made = await webhook(people.alice, server.url)
    server.answers(202, "queued as 17")
    assert "202" in await trials.test(people.alice, made.id, means)
    assert server.only.json()["kind"] == "test"
    server.answers(403, "go away")
    with pytest.raises(DeliveryFailed, match="403"):
        await trials.test(people.alice, made.id, means)
    with pytest.raises(NotFound):
        await trials.test(people.charlie, made.id, means)


async def test_who_manages_a_shared_channel_cannot_have_its_secrets_sent_elsewhere(
    people: People,
) -> None:
    settings = {"topic": "backups", "server": "https://ntfy.example.org", "token": TOKEN}
    made = await channels.add(people.alice, "phone", owner="alice", kind="ntfy", settings=settings)
    await channels.share(people.alice, made.id, "team", ShareLevel.MANAGE)
    evil = {"server": "https://evil.example.net"}
    for given in (evil, {**evil, "token": str(made.settings["token"])}):
        with pytest.raises(InvalidInput) as refused:
            await channels.change(people.bob, made.id, settings=given)
        assert refused.value.field == "token"
    await channels.change(people.bob, made.id, settings={"topic": "other"})
    await channels.change(people.bob, made.id, settings={**evil, "token": "tk_of-bob-himself"})
    assert settings_of(await Channel.get(id=made.id))["token"] == "tk_of-bob-himself"
    await channels.change(people.alice, made.id, settings={"server": "https://ntfy.example.org"})


async def test_who_manages_a_channel_for_administrators_does_not_set_it_up(
    people: People,
) -> None:
    url = {"url": f"prowl://{'0123456789' * 4}"}
    made = await channels.add(people.admin, "x", owner="admin", kind="apprise", settings=url)
    await channels.share(people.admin, made.id, "team", ShareLevel.MANAGE)
    with pytest.raises(Forbidden):
        await channels.change(people.bob, made.id, settings=url)
    assert not (await channels.change(people.bob, made.id, enabled=False)).enabled


async def test_one_channel_that_another_version_wrote_hides_no_other(people: People) -> None:
    made = await webhook(people.alice, "https://example.org")
    odd = await webhook(people.alice, "https://example.org", "odd")
    gone = await webhook(people.alice, "https://example.org", "gone")
    await Channel.filter(id=odd.id).update(settings={"address": "x"})
    await Channel.filter(id=gone.id).update(kind="pigeon")
    infos = {info.name: info for info in await channels.list_channels(people.alice)}
    assert set(infos) == {"hook", "odd", "gone"}
    assert infos["hook"].description == made.description
    assert infos["odd"].description == infos["gone"].description == channels.UNREADABLE
    await channels.change(people.alice, odd.id, settings={"url": "https://example.org"})
    assert (await channels.info_of(await channels.find(people.alice, "odd"))).settings["url"]
    await channels.delete(people.alice, gone.id)


async def test_no_name_stands_for_the_channel_of_somebody_else(people: People) -> None:
    for name in ("alice/hook", "\x1b[2J", " ", "x" * 151):
        with pytest.raises(InvalidInput) as wrong:
            await webhook(people.bob, "https://example.org", name)
        assert wrong.value.field == "name"


async def test_levels_of_shares_change_together_and_others_keep_theirs(people: People) -> None:
    await groups.add_group(OPERATOR, groups.AddGroup(name="others", members=["bob"]))
    made = await webhook(people.alice, "https://example.org")
    await channels.share(OPERATOR, made.id, "others")
    manage = await channels.change(people.alice, made.id, share_levels={"team": ShareLevel.MANAGE})
    assert [(one.group, one.level) for one in manage.shares] == [
        ("others", ShareLevel.VIEW),
        ("team", ShareLevel.MANAGE),
    ]
    done = await AuditEntry.filter(action="channel.share").count()
    same = await channels.change(people.alice, made.id, share_levels={"team": ShareLevel.MANAGE})
    assert same.shares == manage.shares
    assert await AuditEntry.filter(action="channel.share").count() == done
    ended = await channels.change(people.alice, made.id, share_levels={"team": None})
    assert ended.groups == ("others",)
    with pytest.raises(NotFound):
        await channels.change(people.alice, made.id, share_levels={"others": ShareLevel.MANAGE})


async def test_a_test_with_settings_that_nobody_can_read_says_so(
    people: People, means: Means
) -> None:
    made = await webhook(people.alice, "https://example.org")
    await Channel.filter(id=made.id).update(settings={"address": "x"})
    with pytest.raises(DeliveryFailed, match="URL is missing") as failed:
        await trials.test(people.alice, made.id, means)
    assert failed.value.permanent
    await Channel.filter(id=made.id).update(kind="pigeon")
    with pytest.raises(DeliveryFailed, match="no kind of channel"):
        await trials.test(people.alice, made.id, means)


async def test_kinds_for_administrators_are_offered_to_them_alone(people: People) -> None:
    offered = {info.kind for info in channels.offered(people.alice)}
    assert {info.kind for info in channels.offered(people.admin)} - offered == {"apprise"}
