"""Keys that were refused: who may see them, and at what cost."""

from __future__ import annotations

import base64

import pytest

from hive.kinds import Level, ShareLevel
from hive.models import RefusedKey
from hive.services import permissions
from hive.services.accounts import groups
from hive.services.keys import refused_keys
from hive.services.lifecycle import trash
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from tests import factories, statements
from tests.factories import People


async def knock(repository_id: int) -> None:
    data = base64.b64decode(factories.key_line().split()[1])
    await refused_keys.note(repository_id, data, "192.0.2.44")


async def test_a_member_of_a_group_sees_a_hundred_in_as_many_queries_as_two(people: People) -> None:
    counted = []
    found = await statements.recorded()
    made = 0
    for many in (2, 100):
        while made < many:
            info = await factories.make_repository(people.alice, f"n{made}", share_with="team")
            await knock(info.id)
            made += 1
        found.clear()
        assert len(await refused_keys.list_refused(people.bob)) == many
        counted.append(len(found))
    assert counted[0] == counted[1] < 6


@pytest.mark.parametrize("who", ["owner", "manager", "viewer", "stranger", "administrator"])
async def test_the_list_holds_what_each_may_change(people: People, who: str) -> None:
    """Both ways to ask, for a list and for one repository, give the same answer."""
    viewer = await factories.make_user("victor")
    await groups.add_group(OPERATOR, groups.AddGroup(name="viewers", members=["victor", "alice"]))
    actors = {
        "owner": people.alice,
        "manager": people.bob,
        "viewer": viewer,
        "stranger": people.charlie,
        "administrator": people.admin,
    }
    actor = actors[who]
    shared = await factories.make_repository(people.alice, "shared", share_with="team")
    await catalogue.set_repository(
        people.alice, shared.id, share_with=["viewers"], share_level=ShareLevel.VIEW
    )
    private = await factories.make_repository(people.alice, "private")
    deleted = await factories.make_repository(people.alice, "deleted", share_with="team")
    for info in (shared, private, deleted):
        await knock(info.id)
    await trash.delete_repository(people.alice, deleted.id)

    seen = {row.repository_id for row in await refused_keys.list_refused(actor)}

    rows = await RefusedKey.all().select_related("repository")
    assert seen == {
        row.repository_id
        for row in rows
        if row.repository.deleted_at is None
        and await permissions.level_on(actor, row.repository) >= Level.MANAGE
    }
