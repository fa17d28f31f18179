"""Rules in the browser: through the form and back, and what they must not tell."""

from __future__ import annotations

import pytest

from hive.kinds import Severity
from hive.models import RuleChannel
from hive.services.accounts import groups
from hive.services.notifications import channels, rules
from hive.services.notifications.rule_infos import RuleInfo
from hive.services.notifications.rules import AddRule
from hive.services.permissions import OPERATOR, Actor
from hive.services.repositories import catalogue
from tests.web.browser import Browser
from tests.web.notices import HERE, phone

RULE = {"name": "night", "severity": "warning"}


async def test_a_rule_goes_through_the_form_and_back(browser: Browser, alice: Actor) -> None:
    made = await catalogue.add_repository(alice, "documents", owner="alice")
    hook, other = await phone(alice), await phone(alice, "12")
    await browser.log_in("alice")
    assert "Without any rule, all of" in (await browser.get(f"{HERE}/rules")).text
    typed = {**RULE, "repository": str(made.id), "tag": "Office", "owner": "alice"}
    typed |= {"kind-mass-deletion": "yes", "kind-late": "yes", "severity": "critical"}
    typed |= {"quiet": "22:00-7:00", "is_quiet_for_critical": "yes", f"channel-{other.id}": "yes"}
    added = await browser.post(f"{HERE}/rules/add", typed)
    assert (added.status, added.location) == (303, f"{HERE}/rules")
    [info] = await rules.list_rules(alice)
    assert (info.repository_id, info.tag, info.owner) == (made.id, "office", "alice")
    assert (info.kinds, info.severity) == (("late", "mass deletion"), Severity.CRITICAL)
    assert (info.quiet, info.is_quiet_for_critical) == ("22:00-07:00", True)
    assert info.channel_ids == (other.id,)
    listed = (await browser.get(f"{HERE}/rules")).text
    assert "What no rule matches is sent as" in listed
    assert "In the last 30 days it would have sent 0 of 0 notifications." in listed
    assert "No repository has the tag office" in listed
    assert "mass deletion" in listed
    form = (await browser.get(f"{HERE}/rules/{info.id}")).text
    assert 'id="repository" name="repository" type="text" value="alice/documents"' in form
    assert (
        'id="kind-mass-deletion" name="kind-mass-deletion" type="checkbox" value="yes" checked'
        in (form)
    )
    assert await _saved(browser, info.id, {**typed, "enabled": "yes", "quiet": "22:00-07:00"}) == [
        info
    ]
    bare = {**RULE, f"channel-{hook.id}": "yes"}
    [changed] = await _saved(browser, info.id, bare)
    assert (changed.repository, changed.tag, changed.owner, changed.quiet) == (None,) * 4
    assert (changed.kinds, changed.enabled, changed.channel_ids) == ((), False, (hook.id,))


async def _saved(browser: Browser, rule_id: int, typed: dict[str, str]) -> list[RuleInfo]:
    assert (await browser.post(f"{HERE}/rules/{rule_id}", typed)).status == 303
    return await rules.list_rules(OPERATOR)


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"name": ""}, "name"),
        ({"quiet": "at night"}, "quiet"),
        ({"tag": "no tag!"}, "tag"),
        ({"severity": "loud"}, "severity"),
        ({"repository": "x"}, "repository"),
        ({"channel-1": ""}, "channels"),
    ],
)
async def test_what_is_wrong_in_a_rule_is_told_at_its_field(
    browser: Browser, alice: Actor, typed: dict[str, str], field: str
) -> None:
    made = await phone(alice)
    await browser.log_in("alice")
    whole = {**RULE, f"channel-{made.id}": "yes", "kind-late": "yes", **typed}
    answer = await browser.post(f"{HERE}/rules/add", whole)
    assert answer.status == 422
    assert f'<a href="#{field}">' in answer.text
    assert 'name="kind-late" type="checkbox" value="yes" checked' in answer.text
    assert await rules.list_rules(alice) == []


async def test_a_rule_is_about_what_its_person_may_see_and_use(
    browser: Browser, root: Actor, alice: Actor, bob: Actor
) -> None:
    secret = await catalogue.add_repository(alice, "secret", owner="alice")
    theirs, own = await phone(alice, "hers"), await phone(bob, "his")
    await browser.log_in("bob")
    form = (await browser.get(f"{HERE}/rules/add")).text
    for name in ("secret", "hers", "alice"):
        assert name not in form
    ours = {**RULE, f"channel-{own.id}": "yes"}
    for forged, status in (({"repository": str(secret.id)}, 422), ({"owner": "alice"}, 404)):
        assert (await browser.post(f"{HERE}/rules/add", {**ours, **forged})).status == status
    await browser.post(f"{HERE}/rules/add", {**ours, f"channel-{theirs.id}": "yes"})
    assert [one.channels for one in await rules.list_rules(bob)] == [("his",)]


async def test_a_rule_keeps_what_its_person_sees_no_longer_until_it_is_changed(
    browser: Browser, root: Actor, alice: Actor, bob: Actor
) -> None:
    await groups.add_group(root, groups.AddGroup(name="family", members=["alice", "bob"]))
    made = await catalogue.add_repository(alice, "documents", owner="alice", groups=["family"])
    hers, his = await phone(alice, "hers"), await phone(bob, "his")
    await channels.share(alice, hers.id, "family")
    wanted = AddRule(name="night", channels=[hers.id, his.id], repository=made.id, owner="alice")
    info = await rules.add(bob, "bob", wanted)
    await groups.set_group(
        root, (await groups.list_groups(root))[0].id, groups.ChangeGroup(remove_members=["bob"])
    )
    await browser.log_in("bob")
    form = (await browser.get(f"{HERE}/rules/{info.id}")).text
    assert "no longer shared: it sends nothing" in form
    typed = {"name": "nights", "severity": "warning", "enabled": "yes"}
    assert 'value="alice/documents"' in form
    typed |= {"repository": "alice/documents", "owner": "alice", f"channel-{his.id}": "yes"}
    kept = {**typed, f"channel-{hers.id}": "yes"}
    [same] = await _saved(browser, info.id, kept)
    assert (same.repository_id, same.channels) == (made.id, ("hers", "his"))
    [changed] = await _saved(browser, info.id, typed)
    assert (changed.owner, changed.channels) == ("alice", ("his",))


async def test_an_administrator_sees_and_writes_the_rules_of_others(
    browser: Browser, root: Actor, alice: Actor, bob: Actor
) -> None:
    made = await phone(alice)
    await rules.add(alice, "alice", AddRule(name="at night", channels=[made.id]))
    await browser.log_in("root")
    assert "at night" not in (await browser.get(f"{HERE}/rules")).text
    assert "at night" in (await browser.get(f"{HERE}/rules?user=alice")).text
    assert (await browser.get(f"{HERE}/rules?user=nobody")).status == 404
    typed = {**RULE, f"channel-{made.id}": "yes"}
    answer = await browser.post(f"{HERE}/rules/add?user=alice", typed)
    assert answer.location == f"{HERE}/rules?user=alice"
    assert [one.name for one in await rules.list_rules(alice)] == ["at night", "night"]
    await browser.log_in("bob")
    for path in ("", "/rules", "/rules/add", "/deliveries", "/preferences"):
        assert (await browser.get(f"{HERE}{path}?user=alice")).status == 404, path
        assert (await browser.get(f"{HERE}{path}?user=bob")).status == 200, path


async def test_a_rule_is_deleted_after_a_question(browser: Browser, alice: Actor) -> None:
    info = await rules.add(
        alice, "alice", AddRule(name="night", channels=[(await phone(alice)).id])
    )
    await browser.log_in("alice")
    path = f"{HERE}/rules/{info.id}/delete"
    assert "Delete this rule?" in (await browser.get(path)).text
    assert (await browser.post(path)).status == 303
    assert await rules.list_rules(alice) == []
    assert not await RuleChannel.exists()
