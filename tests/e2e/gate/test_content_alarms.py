"""What is alarming about what real clients do to a repository, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from hive.kinds import Access, EventKind, State
from hive.services.alarms import alarms, answers
from hive.services.health import infos as health_info
from hive.services.lifecycle import config_restore
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from hive.services.sessions import config_versions
from tests.e2e.gate.harness import Client, House
from tests.e2e.gate.test_borg import change_access, with_backup
from tests.e2e.gate.test_measured import measure_last

NEW = "another passphrase"


async def laptop() -> RepositoryInfo:
    return await catalogue.find_repository(OPERATOR, "laptop")


async def open_kinds() -> list[EventKind]:
    return [one.kind for one in await alarms.lasting((await laptop()).id) if one.is_critical]


async def state() -> State:
    return (await health_info.health_info(OPERATOR, (await laptop()).id)).state


async def change_passphrase(house: House, client: Client, url: str) -> None:
    (await client.borg("key", "change-passphrase", url, BORG_NEW_PASSPHRASE=NEW)).must()
    await measure_last(house)


@pytest.mark.long
async def test_a_full_key_changes_its_passphrase_and_another_is_refused(
    house: House, tmp_path: Path
) -> None:
    client, url = await with_backup(house, tmp_path)
    await measure_last(house)
    await change_passphrase(house, client, url)
    await change_access(Access.APPEND_ONLY)
    change = ["key", "change-passphrase", url]
    refused = await client.borg(*change, BORG_PASSPHRASE=NEW, BORG_NEW_PASSPHRASE="a third")
    assert "changing its key is refused" in refused.must(2).error
    await measure_last(house)
    assert await open_kinds() == []


@pytest.mark.long
async def test_putting_a_config_back_raises_nothing(house: House, tmp_path: Path) -> None:
    client, url = await with_backup(house, tmp_path)
    await measure_last(house)
    await change_passphrase(house, client, url)
    info = await laptop()
    first = (await config_versions.list_versions(OPERATOR, info.id))[-1]
    await config_restore.restore_config(OPERATOR, info.id, first.id)
    (await client.borg("list", url)).must()
    await measure_last(house)
    assert await open_kinds() == []


@pytest.mark.long
async def test_a_client_that_deletes_the_repository_is_told_once_and_it_is_never_fine(
    house: House, tmp_path: Path
) -> None:
    client, url = await with_backup(house, tmp_path)
    await measure_last(house)
    (await client.borg("delete", url, BORG_DELETE_I_KNOW_WHAT_I_AM_DOING="YES")).must()
    await measure_last(house)
    assert await open_kinds() == [EventKind.CLIENT_DELETED]
    assert await state() == State.CRITICAL
    info = await laptop()
    assert info.last_backup_at is None
    (alarm,) = await alarms.lasting(info.id)
    await answers.answer(OPERATOR, alarm.id)
    assert await state() == State.UNWATCHED
    # Made anew: another id, by whoever was asked, and no backup of before counts.
    (await client.borg("init", "-e", "none", url)).must()
    await measure_last(house)
    assert await open_kinds() == []
    assert (await laptop()).last_backup_at is None
    source = tmp_path / "source"
    (await client.borg("create", f"{url}::new", ".", cwd=source)).must()
    await measure_last(house)
    assert (await laptop()).last_backup_at is not None
