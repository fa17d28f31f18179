from __future__ import annotations

from datetime import timedelta

import pytest

from hive.errors import Conflict, InvalidInput, NotFound
from hive.kinds import Access, Mode, ShareLevel
from hive.models import AuditEntry, Repository, RepositoryTag
from hive.services.health import infos as health_info
from hive.services.health.schedules import ScheduleChange
from hive.services.repositories import creation
from hive.services.repositories.creation import CreateRepository
from tests import factories
from tests.factories import People


async def test_one_call_creates_all_that_belongs_to_a_repository(people: People) -> None:
    laptop = await factories.make_key(people.alice)
    desktop = await factories.make_key(people.alice, "desktop")
    wanted = CreateRepository(
        name="documents",
        quota_bytes=10**9,
        accesses={laptop.fingerprint: Access.FULL},
        key_accesses={desktop.id: Access.APPEND_ONLY},
        share_levels={"team": ShareLevel.VIEW},
        schedule=ScheduleChange(every=timedelta(hours=12)),
        tags=["Home"],
    )
    info = await creation.create(people.alice, wanted)
    assert (info.name, info.owner, info.mode) == ("documents", "alice", Mode.BORG)
    assert info.quota_bytes == 10**9
    found = {one.name: one.access for one in info.keys}
    assert found == {"laptop": Access.FULL, "desktop": Access.APPEND_ONLY}
    assert [(one.group, one.level) for one in info.groups] == [("team", ShareLevel.VIEW)]
    health = await health_info.health_info(people.alice, info.id)
    assert health.schedule.in_words == "every 12 hours"
    assert health.tags == ("home",)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"quota_bytes": 5}, "quota"),
        ({"tags": ["not one tag"]}, "tag"),
        ({"schedule": ScheduleChange(grace=timedelta(days=1000))}, "grace"),
        ({"name": "../etc"}, "name"),
        ({"share_levels": {"strangers": ShareLevel.VIEW}}, None),
        ({"key_accesses": {4711: Access.FULL}}, None),
    ],
)
async def test_where_one_thing_is_wrong_nothing_at_all_is_created(
    people: People, wrong: dict[str, object], field: str | None
) -> None:
    audited = await AuditEntry.all().count()
    given: dict[str, object] = {"name": "documents", "tags": ["home"], **wrong}
    with pytest.raises((InvalidInput, NotFound)) as caught:
        await creation.create(people.alice, CreateRepository(**given))  # type: ignore[arg-type]
    assert getattr(caught.value, "field", None) == field
    assert await Repository.all().count() == await RepositoryTag.all().count() == 0
    assert await AuditEntry.all().count() == audited


async def test_a_name_of_the_same_owner_is_taken(people: People) -> None:
    await creation.create(people.alice, CreateRepository(name="documents"))
    with pytest.raises(Conflict) as caught:
        await creation.create(people.alice, CreateRepository(name="documents"))
    assert caught.value.field == "name"
    await creation.create(people.bob, CreateRepository(name="documents"))


async def test_only_an_administrator_creates_a_repository_for_somebody_else(
    people: People,
) -> None:
    wanted = CreateRepository(name="documents", owner="alice")
    with pytest.raises(NotFound):
        await creation.create(people.bob, wanted)
    assert (await creation.create(people.admin, wanted)).owner == "alice"
