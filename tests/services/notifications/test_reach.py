from __future__ import annotations

import pytest

from hive.kinds import ShareLevel
from hive.services.accounts import users
from hive.services.notifications import channels, reach, rules
from hive.services.notifications.rules import AddRule
from hive.services.outbox import audiences
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue, tags
from tests.factories import People

HOOK = {"url": "https://example.org/", "method": "POST"}


async def test_repositories_looked_at_together_reach_whom_each_reaches_alone(
    people: People,
) -> None:
    """What is alike is found out once; a rule about one of them, a tag or a share differs."""
    made = {
        (owner, name): (await catalogue.add_repository(OPERATOR, name, owner=owner)).id
        for owner in ("alice", "bob")
        for name in ("plain", "named", "tagged", "shared")
    }
    for owner in ("alice", "bob"):
        await tags.change_tags(OPERATOR, made[owner, "tagged"], add=["weekly"])
    await catalogue.set_repository(
        OPERATOR, made["alice", "shared"], share_levels={"team": ShareLevel.VIEW}
    )
    hook = await channels.add(people.alice, "hook", owner="alice", kind="webhook", settings=HOOK)
    for wanted in (
        AddRule(name="one", channels=[hook.id], repository=made["alice", "named"]),
        AddRule(name="tag", channels=[hook.id], tag="weekly"),
    ):
        await rules.add(people.alice, "alice", wanted)
    await users.set_user(
        OPERATOR, people.bob.user_id or 0, users.ChangeUser(email="bob@example.org")
    )
    for actor in (people.alice, people.bob, people.admin, OPERATOR):
        together = await reach.reaches(actor)
        alone = {one: await reach.reach(actor, one) for one in together}
        assert together == alone
    seen = await reach.reaches(OPERATOR)
    assert len({found.words for found in seen.values()}) > 2


async def test_the_work_grows_with_what_differs_and_not_with_the_repositories(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    ways = audiences.Audience.ways

    def counted(self: audiences.Audience, *given: object) -> audiences.Found:
        asked.append(self)
        return ways(self, *given)  # type: ignore[arg-type]

    for number in range(12):
        owner = ("alice", "bob")[number % 2]
        await catalogue.add_repository(OPERATOR, f"r{number}", owner=owner)
    monkeypatch.setattr(audiences.Audience, "ways", counted)
    found = await reach.worries(OPERATOR)
    assert found.unreachable_count == 12
    assert len(asked) == 2
    assert [one.repository for one in found.unreachable] == ["r0", "r1", "r10", "r11", "r2"]
