"""Which copies of a repository's config are kept: it holds the key of every archive."""

from __future__ import annotations

import pytest

from hive import clock
from hive.config.settings import Settings
from hive.database import transactional
from hive.kinds import Access, Mode, Need
from hive.models import ConfigVersion, Repository, Session
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from hive.services.sessions import config_versions
from tests import factories


@pytest.fixture
async def repository(hive: Settings) -> Repository:
    await factories.make_people()
    made = await catalogue.add_repository(OPERATOR, "laptop", owner="alice")
    return await Repository.get(id=made.id)


async def keep(repository: Repository, content: bytes, access: Access | None) -> None:
    session_id = None
    if access is not None:
        session = await Session.create(
            repository_id=repository.id,
            login=repository.login,
            key_fingerprint="SHA256:x",
            key_name="laptop",
            peer="192.0.2.1",
            command="borg serve",
            need=Need.BORG,
            mode=Mode.BORG,
            access=access,
            started_at=clock.now(),
            node="here",
        )
        session_id = session.id
    await transactional(config_versions.keep_config)(repository, content, session_id)


async def kept(repository: Repository) -> list[bytes]:
    rows = await ConfigVersion.filter(repository_id=repository.id).order_by("id")
    return [bytes(row.content) for row in rows]


async def test_the_newest_versions_are_kept_and_the_first(
    repository: Repository, hive: Settings
) -> None:
    most = hive.storage.config_versions
    for number in range(most + 5):
        await keep(repository, b"%d" % number, Access.FULL)
    assert await kept(repository) == [b"0", *(b"%d" % number for number in range(5, most + 5))]


@pytest.mark.parametrize("trusted", [Access.FULL, None], ids=["full access", "the server itself"])
async def test_no_number_of_other_versions_pushes_out_what_full_access_wrote(
    repository: Repository, hive: Settings, trusted: Access | None
) -> None:
    await keep(repository, b"first", Access.FULL)
    await keep(repository, b"true key", trusted)
    for number in range(3 * hive.storage.config_versions):
        await keep(repository, b"EVIL%d" % number, Access.APPEND_ONLY)
    found = await kept(repository)
    assert found[:2] == [b"first", b"true key"]
    assert len(found) == hive.storage.config_versions + 2
