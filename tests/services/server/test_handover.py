"""Repositories of another owner are given to the account that programs run as."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from hive import memory
from hive.config.settings import Settings
from hive.errors import AccessRefused, StorageError
from hive.models import Repository
from hive.process import ownership
from hive.process.spec import RunAs
from hive.services import runtime
from hive.services.repositories import infos as repository_infos
from hive.services.server import handover
from hive.services.storage import paths, preparing, scratch
from tests import factories
from tests.factories import People

NOBODY = RunAs(65534, 65534)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def make_home(root: Path, login: str = "login", files: int = 3) -> paths.Place:
    where = paths.Place(root, login, "laptop")
    for number in range(files):
        directory = where.repository / "data" / str(number)
        directory.mkdir(parents=True)
        (directory / "1").write_bytes(b"segment")
    (where.repository / "config").write_text("[repository]\n")
    return where


def owners(where: paths.Place) -> set[int]:
    return {path.lstat().st_uid for path in (where.home, *where.home.rglob("*"))}


def test_a_walk_that_was_cut_off_is_gone_on_with(tmp_path: Path) -> None:
    where = make_home(tmp_path)
    os.chown(where.repository / "data" / "0", NOBODY.uid, NOBODY.gid)
    memory.begin()
    ownership.stop()
    with pytest.raises(StorageError, match="the server stops"):
        preparing.hand_over(where, NOBODY)
    memory.begin()  # the next server
    assert not preparing.is_handed_over(where, NOBODY)
    assert preparing.hand_over(where, NOBODY) > 0
    assert preparing.is_handed_over(where, NOBODY)
    assert owners(where) == {NOBODY.uid}
    assert preparing.hand_over(where, NOBODY) == 0


def test_the_outermost_directory_is_given_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = make_home(tmp_path)
    (where.repository / "data" / "2" / "1").unlink()
    (where.repository / "data" / "2" / "1").hardlink_to(where.repository / "data" / "1" / "1")
    with pytest.raises(StorageError, match="several names"):
        preparing.hand_over(where, NOBODY)
    assert where.home.stat().st_uid == where.repository.stat().st_uid == 0


@pytest.mark.parametrize("part", ["login", "laptop", "laptop/data"])
def test_a_link_in_the_place_of_a_directory_leads_nowhere(tmp_path: Path, part: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").touch()
    root = tmp_path / "repos"
    where = make_home(root)
    replaced = root / "login" / part if part != "login" else root / "login"
    replaced.rename(tmp_path / "aside")
    replaced.symlink_to(outside)
    if part == "laptop/data":  # links are given themselves
        preparing.hand_over(where, NOBODY)
    else:
        with pytest.raises(StorageError):
            preparing.hand_over(where, NOBODY)
    assert {path.stat().st_uid for path in (outside, outside / "secret")} == {0}


def test_a_file_with_a_second_name_elsewhere_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "shadow").write_text("secret")
    where = make_home(tmp_path / "repos")
    (where.repository / "data" / "0" / "2").hardlink_to(tmp_path / "shadow")
    with pytest.raises(StorageError, match="several names"):
        preparing.hand_over(where, NOBODY)
    assert (tmp_path / "shadow").stat().st_uid == 0


@pytest.mark.usefixtures("remembering")
async def test_two_that_come_at_once_give_everything_once(tmp_path: Path) -> None:
    where = make_home(tmp_path, files=200)
    given = await asyncio.gather(
        *(asyncio.to_thread(preparing.hand_over, where, NOBODY) for _ in range(4))
    )
    assert sorted(given)[:3] == [0, 0, 0]
    assert owners(where) == {NOBODY.uid}


async def place_of_a_repository(people: People, name: str) -> paths.Place:
    made = await factories.make_repository(people.alice, name)
    row = await Repository.get(id=made.id).select_related("location")
    where = repository_infos.place_of(row)
    make_home(where.root, where.login)
    (where.home / "laptop").rename(where.repository)
    return where


async def test_the_job_gives_all_that_can_be_given_and_names_the_rest(
    hive: Settings, people: People
) -> None:
    runtime.prepare_root(hive.paths.repositories)
    first = await place_of_a_repository(people, "first")
    broken = await place_of_a_repository(people, "broken")
    last = await place_of_a_repository(people, "last")
    (broken.repository / "twin").hardlink_to(broken.repository / "config")
    handover.use(NOBODY)
    [finding] = await handover.findings(NOBODY)
    assert "3 repositories, for example" in finding.message
    with pytest.raises(StorageError, match=r"1 of the repositories .* several names"):
        await handover.hand_over_all()
    assert owners(first) == owners(last) == {NOBODY.uid}
    (broken.repository / "twin").unlink()
    assert await handover.hand_over_all() == 1
    assert await handover.findings(NOBODY) == []


async def test_a_session_hears_why_it_waits_and_is_sent_away_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = make_home(tmp_path)
    goes_on = threading.Event()
    give = ownership.give

    def slow(home: Path, names: list[str], run_as: RunAs) -> int:
        goes_on.wait(20)
        return give(home, names, run_as)

    monkeypatch.setattr(ownership, "give", slow)
    monkeypatch.setattr(scratch, "enter", lambda *_: None)  # needs a hive, which is not the point
    monkeypatch.setattr(handover, "_SOON", 0.01)
    monkeypatch.setattr(handover, "_LONGEST", 0.05)
    told: list[str] = []
    with pytest.raises(AccessRefused, match="try again"):
        await handover.prepare(where, NOBODY, staging=False, tell=told.append)
    assert len(told) == 1
    assert "please wait" in told[0]
    goes_on.set()
    await handover.prepare(where, NOBODY, staging=False, tell=told.append)
    assert owners(where) == {NOBODY.uid}
