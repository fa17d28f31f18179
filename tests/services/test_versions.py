"""What a version covers, and that it is compared in the transaction of the change."""

from __future__ import annotations

import pytest

from hive import clock
from hive.errors import Conflict
from hive.models import Key, Repository
from hive.services import versions
from hive.services.keys import keys
from hive.services.keys.keys import ChangeKey
from hive.services.lifecycle import changing
from hive.services.lifecycle.changing import ChangeRepository
from hive.services.repositories import catalogue
from hive.services.versions import Changed, Thing, Version
from tests import factories
from tests.factories import People


async def test_each_part_names_columns_that_there_are(people: People) -> None:
    for parts in versions._PARTS.values():
        for part in parts:
            known = set(part.model._meta.fields_db_projection)
            assert {part.column, *part.columns, *part.without} <= known
            assert part.columns


async def test_what_the_server_writes_is_no_change(people: People) -> None:
    made = await catalogue.add_repository(people.alice, "documents", owner="alice")
    key = await factories.make_key(people.alice)
    before = [
        await versions.digest_of(Thing.REPOSITORY, made.id),
        await versions.digest_of(Thing.SCHEDULE, made.id),
        await versions.digest_of(Thing.KEY, key.id),
    ]
    await Repository.filter(id=made.id).update(
        last_backup_at=clock.now(), size_bytes=5, maintenance="busy"
    )
    await Key.filter(id=key.id).update(last_used_at=clock.now())
    assert before == [
        await versions.digest_of(Thing.REPOSITORY, made.id),
        await versions.digest_of(Thing.SCHEDULE, made.id),
        await versions.digest_of(Thing.KEY, key.id),
    ]


async def test_a_change_of_something_else_is_refused_as_a_whole(people: People) -> None:
    made = await catalogue.add_repository(people.alice, "documents", owner="alice")
    seen = Version(Thing.REPOSITORY, await versions.digest_of(Thing.REPOSITORY, made.id))
    await catalogue.set_repository(people.alice, made.id, quota_bytes=10**9)
    wanted = ChangeRepository(name="papers", add_tags=["home"], version=seen)
    with pytest.raises(Changed):
        await changing.change(people.alice, made.id, wanted)
    info = await catalogue.info_by_id(made.id)
    assert (info.name, info.quota_bytes) == ("documents", 10**9)
    again = Version(Thing.REPOSITORY, await versions.digest_of(Thing.REPOSITORY, made.id))
    await changing.change(people.alice, made.id, ChangeRepository(name="papers", version=again))
    assert (await catalogue.info_by_id(made.id)).name == "papers"


async def test_a_version_is_a_conflict_and_none_expects_nothing(people: People) -> None:
    key = await factories.make_key(people.alice)
    wrong = ChangeKey(name="desk", version=Version(Thing.KEY, "anything"))
    with pytest.raises(Conflict):
        await keys.change_key(people.alice, key.id, wrong)
    assert (await keys.change_key(people.alice, key.id, ChangeKey(name="desk"))).name == "desk"
