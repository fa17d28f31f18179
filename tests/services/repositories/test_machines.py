from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hive.errors import Conflict, InvalidInput, NotFound
from hive.kinds import Access, ShareLevel
from hive.models import AuditEntry, Key, Repository
from hive.services.health import infos as health_info
from hive.services.health.schedules import ScheduleChange
from hive.services.keys import keys
from hive.services.keys.keys import ChangeKey
from hive.services.repositories import machines
from hive.services.repositories.machines import AddMachine
from tests import factories
from tests.factories import People, key_line


async def test_one_call_stores_the_key_and_creates_what_it_opens(people: People) -> None:
    wanted = AddMachine(
        name="laptop",
        public_key=key_line(comment="alice@laptop"),
        quota_bytes=10**9,
        share_levels={"team": ShareLevel.VIEW},
        schedule=ScheduleChange(cron="0 3 * * *", timezone="Europe/Berlin"),
        tags=["Home"],
    )
    made = await machines.add_machine(people.alice, wanted)
    assert made.key is not None
    assert (made.key.name, made.key.owner) == ("laptop", "alice")
    assert [(use.repository, use.access) for use in made.key.uses] == [
        ("laptop", Access.APPEND_ONLY)
    ]
    assert (made.repository.owner, made.repository.quota_bytes) == ("alice", 10**9)
    health = await health_info.health_info(people.alice, made.repository.id)
    assert health.schedule.cron == "0 3 * * *"
    assert health.tags == ("home",)


async def test_a_machine_backs_up_every_day_where_nothing_else_is_said(people: People) -> None:
    made = await machines.add_machine(people.alice, AddMachine(name="laptop"))
    assert made.key is None
    health = await health_info.health_info(people.alice, made.repository.id)
    assert health.schedule.every == timedelta(days=1)


async def test_a_key_that_the_owner_has_already_is_used(people: People) -> None:
    line = key_line()
    known = await factories.make_key(people.alice, "old", line=line)
    wanted = AddMachine(name="laptop", public_key=line, access=Access.FULL)
    made = await machines.add_machine(people.alice, wanted)
    assert made.key is not None
    assert made.key.id == known.id
    assert await Key.all().count() == 1


async def test_a_disabled_key_is_said_to_be_so(people: People) -> None:
    line = key_line()
    known = await factories.make_key(people.alice, "old", line=line)
    await keys.change_key(people.alice, known.id, ChangeKey(enabled=False))
    with pytest.raises(Conflict, match="stored already, as old, and disabled") as caught:
        await machines.add_machine(people.alice, AddMachine(name="laptop", public_key=line))
    assert caught.value.field == "public_key"


async def test_another_key_of_the_machines_name_does_not_stand_in_the_way(people: People) -> None:
    await factories.make_key(people.alice, "laptop")
    await factories.make_key(people.alice, "laptop 2")
    wanted = AddMachine(name="laptop", public_key=key_line())
    made = await machines.add_machine(people.alice, wanted)
    assert made.key is not None
    assert made.key.name == "laptop 3"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "../etc"}, "name"),
        ({"name": "taken"}, "name"),
        ({"public_key": "ssh-ed25519 nonsense"}, "public_key"),
        ({"public_key": "-----BEGIN OPENSSH PRIVATE KEY-----"}, "public_key"),
        ({"key": "1"}, "key"),  # and a pasted one
        ({"quota_bytes": 5}, "quota"),
        ({"tags": ["not one tag"]}, "tag"),
        ({"schedule": ScheduleChange(cron="nonsense")}, "cron"),
        ({"share_levels": {"strangers": ShareLevel.VIEW}}, None),
        ({"owner": "bob"}, None),
        ({"public_key": None, "key": "nobody's"}, "key"),
    ],
)
async def test_where_one_thing_is_wrong_nothing_at_all_is_added(
    people: People, wrong: dict[str, Any], field: str | None
) -> None:
    await machines.add_machine(people.alice, AddMachine(name="taken"))
    audited = await AuditEntry.all().count()
    given: dict[str, Any] = {"name": "laptop", "public_key": key_line(), **wrong}
    with pytest.raises((InvalidInput, Conflict, NotFound)) as caught:
        await machines.add_machine(people.alice, AddMachine(**given))
    assert getattr(caught.value, "field", None) == field
    assert await Key.all().count() == 0
    assert await Repository.all().count() == 1
    assert await AuditEntry.all().count() == audited


async def test_an_administrator_adds_a_machine_for_somebody_else(people: People) -> None:
    wanted = AddMachine(name="laptop", owner="bob", public_key=key_line())
    made = await machines.add_machine(people.admin, wanted)
    assert made.key is not None
    assert (made.repository.owner, made.key.owner) == ("bob", "bob")
