"""A refused login is told to the operator and to the owner, each time and without a flood."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncssh
import pytest
import pytest_asyncio

from hive import clock
from hive.kinds import Access
from hive.services import events
from hive.services.accounts import users
from hive.services.keys import grants, keys, refused_keys
from hive.services.permissions import OPERATOR
from tests.e2e.gate import harness
from tests.e2e.gate.hostile.handmade import FAILURE, KEY_IS_GOOD, SUCCESS, handmade
from tests.e2e.gate.hostile.scene import Scene, new_key, open_scene, until


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A house for each test: what was told once is not told again for a minute."""
    async with open_scene(tmp_path) as opened:
        yield opened


async def refusals(scene: Scene) -> list[str]:
    recent = await events.recent(OPERATOR)
    return [event.message for event in recent if event.kind == "refused"]


@pytest.mark.parametrize(
    "cause", ["wrong network", "key expired", "key disabled", "owner disabled", "unknown key"]
)
async def test_a_key_that_is_out_of_use_is_refused_and_the_owner_can_see_why(
    scene: Scene, cause: str
) -> None:
    key = new_key()
    number = await scene.add_key("outsider", key)
    await grants.change_access(
        OPERATOR, scene.repository.id, grants.ChangeAccess(accesses={"outsider": Access.FULL})
    )
    assert not await scene.is_refused(key)
    if cause == "wrong network":
        await keys.change_key(
            OPERATOR, number, keys.ChangeKey(networks=["192.0.2.0/24", "2001:db8::/32"])
        )
    elif cause == "key expired":
        await keys.change_key(
            OPERATOR, number, keys.ChangeKey(expires_at=clock.now() + timedelta(seconds=1))
        )
        await asyncio.sleep(1.1)
    elif cause == "key disabled":
        await keys.change_key(OPERATOR, number, keys.ChangeKey(enabled=False))
    elif cause == "owner disabled":
        owner = await users.find_user(OPERATOR, "alice")
        await users.set_user(OPERATOR, owner.id, users.ChangeUser(enabled=False))
    else:
        await keys.delete_key(OPERATOR, number)
    async with handmade(scene.port) as connection:
        assert await connection.ask(scene.login, key, signed=False) == FAILURE
        assert await connection.ask(scene.login, key) == FAILURE
    line = await scene.log.wait_for("login refused", key.get_fingerprint())
    assert cause in line
    await until(lambda: bool(scene.log.having("login refused")), "the refusal")
    messages: list[str] = []
    for _ in range(200):
        messages = await refusals(scene)
        if messages:
            break
        await asyncio.sleep(0.02)
    assert len(messages) == 1
    assert cause in messages[0]
    assert key.get_fingerprint() in messages[0]
    if cause == "owner disabled":
        await users.set_user(OPERATOR, owner.id, users.ChangeUser(enabled=True))


async def test_keys_that_an_agent_offers_before_the_right_one_are_no_refusals(
    scene: Scene,
) -> None:
    async with handmade(scene.port) as connection:
        for _ in range(3):
            assert await connection.ask(scene.login, new_key(), signed=False) == FAILURE
        assert await connection.ask(scene.login, scene.full, signed=False) == KEY_IS_GOOD
        assert await connection.ask(scene.login, scene.full) == SUCCESS
    await scene.assert_nothing_left()
    assert not scene.log.having("login refused")
    assert not await refusals(scene)


async def test_refused_logins_make_one_event_a_minute_for_each_cause(scene: Scene) -> None:
    known = new_key()
    await scene.add_key("known", known)

    async def try_once(key: asyncssh.SSHKey) -> None:
        assert await scene.is_refused(key)

    await asyncio.gather(*(try_once(key) for key in [scene.stranger, known] * 4))
    await scene.assert_nothing_left()
    found = await refusals(scene)
    assert len(found) == 2
    assert {message.split(": ")[1].split(" ")[0] for message in found} == {
        scene.stranger.get_fingerprint(),
        known.get_fingerprint(),
    }
    assert len(scene.log.having("login refused", "unknown key")) == 4
    assert len(scene.log.having("login refused", "key not granted")) == 4


async def test_a_key_that_knocked_is_kept_so_that_the_owner_can_let_it_in(scene: Scene) -> None:
    key = new_key()
    assert await scene.is_refused(key)
    assert await scene.is_refused(key)

    async def is_kept() -> bool:
        found = await refused_keys.list_refused(OPERATOR)
        return [(one.fingerprint, one.count) for one in found] == [(key.get_fingerprint(), 2)]

    await harness.until(is_kept)
    (kept,) = await refused_keys.list_refused(OPERATOR)
    assert kept.login == scene.login
    await refused_keys.let_in(
        OPERATOR, kept.id, refused_keys.LetIn(name="found", access=Access.FULL)
    )
    assert not await scene.is_refused(key)
    assert await refused_keys.list_refused(OPERATOR) == []


async def test_a_key_at_no_repositorys_login_is_not_kept(scene: Scene) -> None:
    async with handmade(scene.port) as connection:
        assert await connection.ask("nobodyhere", new_key()) == FAILURE
    await scene.log.wait_for("login refused", "unknown login")
    assert await refused_keys.list_refused(OPERATOR) == []
