"""Lists of machines: what they may say, and what is said of those that are wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hive.kinds import ScheduleKind, ShareLevel
from hive.models import Key, Repository
from hive.services.health import infos as health_info
from hive.services.keys import keys
from hive.services.repositories import catalogue, machine_import
from hive.services.repositories.machine_lists import ListRefused
from tests.factories import People, key_line

HEAD = "name,owner,key,access,schedule,timezone,quota,tags,groups\n"


def problems(refused: ListRefused) -> list[tuple[int, str | None]]:
    return [(one.line, one.column) for one in refused.problems]


async def test_each_line_is_a_machine_with_all_that_it_names(people: People) -> None:
    first, second = key_line(), key_line()
    text = HEAD + (
        f'web1,alice,"{first} root@web1, first",full,03:00,Europe/Berlin,500GB,web linux,team\n'
        "\n"
        f"db1,bob,{second},,12h,,none,,team:view\n"
        "empty,alice,,,none,,,,\n"
    )
    found = await machine_import.import_machines(people.admin, text)
    assert [(one.line, one.name, one.owner, one.is_new) for one in found] == [
        (2, "web1", "alice", True),
        (4, "db1", "bob", True),
        (5, "empty", "alice", True),
    ]
    web1 = await catalogue.find_repository(people.admin, "alice/web1")
    health = await health_info.health_info(people.admin, web1.id)
    assert (web1.quota_bytes, health.tags) == (500 * 10**9, ("linux", "web"))
    assert (health.schedule.cron, health.schedule.timezone) == ("0 3 * * *", "Europe/Berlin")
    assert [(one.group, one.level) for one in web1.groups] == [("team", ShareLevel.MANAGE)]
    key = await keys.find_key(people.admin, "alice/web1")
    assert key.fingerprint == found[0].fingerprint
    assert [use.access for use in key.uses] == ["full"]
    db1 = await catalogue.find_repository(people.admin, "bob/db1")
    health = await health_info.health_info(people.admin, db1.id)
    assert (db1.quota_bytes, health.schedule.every) == (None, timedelta(hours=12))
    assert [(one.group, one.level) for one in db1.groups] == [("team", ShareLevel.VIEW)]
    empty = await catalogue.find_repository(people.admin, "alice/empty")
    health = await health_info.health_info(people.admin, empty.id)
    assert health.schedule.kind == ScheduleKind.NONE


async def test_a_list_can_be_imported_again_with_more_lines(people: People) -> None:
    text = f"name;owner;key\nweb1;alice;{key_line()}\n"
    await machine_import.import_machines(people.admin, text)
    # As a spreadsheet of a German Windows writes it.
    longer = "\ufeff" + text.replace("\n", "\r\n") + "web2;alice;\r\n"
    found = await machine_import.import_machines(people.admin, longer)
    assert [(one.name, one.is_new) for one in found] == [("web1", False), ("web2", True)]
    assert (await Repository.all().count(), await Key.all().count()) == (2, 1)


async def test_a_rehearsal_adds_nothing(people: People) -> None:
    text = f"name\tkey\nweb1\t{key_line()}\n"
    (one,) = await machine_import.import_machines(people.alice, text, is_rehearsal=True)
    assert (one.name, one.owner, one.is_new, one.repository_id) == ("web1", "alice", True, None)
    assert (await Repository.all().count(), await Key.all().count()) == (0, 0)


async def test_everything_that_is_wrong_is_told_by_line_and_column(people: People) -> None:
    text = HEAD + (
        "good,alice,,,,,,,\n"
        "bad/name,alice,,,,,,,\n"
        "x1,nobody,,,,,,,\n"
        "x2,alice,no key,,,,,,\n"
        "x3,alice,,,,,1,,\n"
        "x4,alice,,,,,,a/b,\n"
        "x5,alice,,,,,,,strangers\n"
        "x6,alice,,,1 2 3 4 99,,,,\n"
        "good,alice,,,,,,,\n"
    )
    with pytest.raises(ListRefused) as caught:
        await machine_import.import_machines(people.admin, text)
    assert problems(caught.value) == [
        (3, "name"),
        (4, "owner"),
        (5, "key"),
        (6, "quota"),
        (7, "tags"),
        (8, "groups"),
        (9, "schedule"),
        (10, "name"),
    ]
    assert await Repository.all().count() == 0


async def test_values_that_cannot_be_read_are_told_before_anything_else(people: People) -> None:
    text = HEAD + (
        "x1,alice,,read-only,soon,Europe/Berlin,much,,team:own\nx2,alice,,,,,,,,one too many\n"
    )
    with pytest.raises(ListRefused) as caught:
        await machine_import.import_machines(people.admin, text)
    assert sorted(problems(caught.value), key=str) == sorted(
        [
            (2, "access"),
            (2, "schedule"),
            (2, "timezone"),
            (2, "quota"),
            (2, "groups"),
            (3, None),
        ],
        key=str,
    )


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", (0, None)),
        ("name,owner\n", (0, None)),
        ("owner\nalice\n", (1, None)),
        ("name,name\na,b\n", (1, None)),
        ("name,colour\na,red\n", (1, "colour")),
        ('name,key\na,"open\n', (2, None)),
    ],
)
async def test_what_is_no_list_is_refused(
    people: People, text: str, where: tuple[int, str | None]
) -> None:
    with pytest.raises(ListRefused) as caught:
        await machine_import.import_machines(people.admin, text)
    assert problems(caught.value) == [where]


async def test_nobody_imports_for_somebody_else(people: People) -> None:
    with pytest.raises(ListRefused) as caught:
        await machine_import.import_machines(people.alice, "name,owner\nx,bob\n")
    assert problems(caught.value) == [(2, "owner")]
    (own,) = await machine_import.import_machines(people.alice, "name\nx\n")
    assert own.owner == "alice"
