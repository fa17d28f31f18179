from __future__ import annotations

from datetime import timedelta

import pytest

from hive.errors import Conflict, Forbidden, InvalidInput, NotFound
from hive.kinds import Access, Mode, ShareLevel
from hive.models import Repository
from hive.services.health import infos as health_info
from hive.services.health.schedules import ScheduleChange
from hive.services.lifecycle import changing
from hive.services.lifecycle.changing import ChangeRepository
from hive.services.permissions import OPERATOR, Actor
from hive.services.repositories import catalogue, maintenance
from hive.services.repositories.creation import CreateRepository, create
from hive.services.repositories.infos import RepositoryInfo
from tests import factories
from tests.factories import People


@pytest.fixture
async def documents(people: People) -> RepositoryInfo:
    key = await factories.make_key(people.alice)
    accesses = {key.fingerprint: Access.FULL}
    return await create(
        people.alice, CreateRepository(name="documents", accesses=accesses, tags=["old"])
    )


async def test_one_call_changes_what_is_given_and_nothing_else(
    people: People, documents: RepositoryInfo
) -> None:
    await factories.make_key(people.alice, "desktop")
    wanted = ChangeRepository(
        name="papers",
        quota_bytes=10**9,
        share_levels={"team": ShareLevel.VIEW},
        accesses={"desktop": Access.APPEND_ONLY},
        remove_keys=["laptop"],
        strict_paths=True,
        schedule=ScheduleChange(every=timedelta(days=7)),
        add_tags=["new"],
        remove_tags=["old"],
        mode=Mode.EXPORT,
    )
    changed = await changing.change(people.alice, documents.id, wanted)
    info = changed.repository
    assert (info.name, info.login, info.mode) == ("papers", documents.login, Mode.EXPORT)
    assert {one.name: one.access for one in info.keys} == {"desktop": Access.APPEND_ONLY}
    assert [(one.group, one.level) for one in info.groups] == [("team", ShareLevel.VIEW)]
    assert changed.quota_use is not None
    assert changed.settled is None
    health = await health_info.health_info(people.alice, info.id)
    assert (health.schedule.in_words, health.tags) == ("every week", ("new",))
    await changing.change(people.alice, documents.id, ChangeRepository(tags=["only"]))
    again = await health_info.health_info(people.alice, info.id)
    assert (again.schedule.in_words, again.tags) == ("every week", ("only",))
    assert await catalogue.find_repository_by_id(people.alice, info.id) == info


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"quota_bytes": 5}, "quota"),
        ({"add_tags": ["not one tag"]}, "tag"),
        ({"schedule": ScheduleChange(every=timedelta(1), no_schedule=True)}, None),
        ({"remove_keys": ["unknown"]}, None),
        ({"confirm_empty": True}, None),  # it never had any content
    ],
)
async def test_where_one_thing_is_wrong_nothing_changes_not_even_the_mode(
    people: People, documents: RepositoryInfo, wrong: dict[str, object], field: str | None
) -> None:
    wanted = ChangeRepository(name="papers", mode=Mode.IMPORT, **wrong)  # type: ignore[arg-type]
    with pytest.raises((InvalidInput, NotFound, Conflict)) as caught:
        await changing.change(people.alice, documents.id, wanted)
    assert getattr(caught.value, "field", None) == field
    assert await catalogue.find_repository_by_id(people.alice, documents.id) == documents


async def test_where_the_mode_cannot_change_nothing_else_does(
    people: People, documents: RepositoryInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hive.services.lifecycle.imports._END_SECONDS", 0.2)
    await maintenance.begin(documents.id, maintenance.VERIFYING)
    wanted = ChangeRepository(name="papers", mode=Mode.EXPORT)
    with pytest.raises(maintenance.BusyError):
        await changing.change(people.alice, documents.id, wanted)
    row = await Repository.get(id=documents.id)
    assert (row.name, row.mode) == ("documents", Mode.BORG)


async def test_content_that_is_gone_is_confirmed_together_with_the_rest(
    people: People, documents: RepositoryInfo
) -> None:
    await Repository.filter(id=documents.id).update(initialized_at=documents.created_at)
    wanted = ChangeRepository(name="papers", confirm_empty=True)
    changed = await changing.change(people.alice, documents.id, wanted)
    assert changed.repository.name == "papers"
    assert (await Repository.get(id=documents.id)).initialized_at is None


async def test_who_may_not_manage_a_repository_changes_nothing(
    people: People, documents: RepositoryInfo
) -> None:
    async def refused(actor: Actor, wanted: ChangeRepository) -> type[Exception]:
        with pytest.raises((NotFound, Forbidden)) as caught:
            await changing.change(actor, documents.id, wanted)
        return caught.type

    for wanted in (
        ChangeRepository(),
        ChangeRepository(name="mine"),
        ChangeRepository(mode=Mode.EXPORT),
        ChangeRepository(confirm_empty=True),
        ChangeRepository(tags=["mine"]),
    ):
        assert await refused(people.charlie, wanted) is NotFound
    view = ChangeRepository(share_levels={"team": ShareLevel.VIEW})
    await changing.change(people.alice, documents.id, view)
    assert await refused(people.bob, ChangeRepository(name="mine")) is Forbidden
    assert await refused(people.alice, ChangeRepository(owner="bob")) is Forbidden
    await changing.change(OPERATOR, documents.id, ChangeRepository(owner="bob"))
    assert (await catalogue.info_by_id(documents.id)).owner == "bob"
