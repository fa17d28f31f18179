"""The key that signed is the key that counts, and the login it signed for.

A server that remembers "the last key that was asked about" gives its rights to whoever asks about
the administrator's public key and signs with his own (CVE-2024-45337). And asyncssh up to 2.24.0
let a request for another user, sent while the first was looked up, inherit its success.
"""

from __future__ import annotations

import asyncio
import json

import asyncssh
import pytest

from hive.kinds import Access
from hive.services.gate import authentication as login_service
from hive.services.gate.authentication import Identity
from tests.e2e.gate.hostile.handmade import (
    FAILURE,
    KEY_IS_GOOD,
    SUCCESS,
    HandmadeConnection,
    handmade,
)
from tests.e2e.gate.hostile.scene import Scene, new_key

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def rights(connection: HandmadeConnection) -> dict[str, str]:
    """What the gate says of the rights of this connection."""
    done = await connection.run("status --json")
    answer: dict[str, str] = json.loads(str(done.stdout))
    return answer


async def assert_acts_as(scene: Scene, connection: HandmadeConnection, name: str) -> None:
    access = {"full": "full", "append": "append-only", "read": "read-only"}[name]
    assert (await rights(connection))["access"] == access
    key: asyncssh.SSHKey = getattr(scene, name)
    session = await scene.house.last_session()
    assert (session.key, session.access) == (name, access)
    assert session.key_fingerprint == key.get_fingerprint()
    assert scene.log.having("logged in")[-1].find(key.get_fingerprint()) > 0


@pytest.mark.parametrize(
    ("asked", "signer"),
    [
        (["full"], "append"),
        (["append"], "full"),
        (["read", "append", "full"], "read"),
        (["read", "full", "append", "read"], "full"),
        ([], "append"),
    ],
)
async def test_what_was_asked_about_before_gives_no_rights(
    scene: Scene, asked: list[str], signer: str
) -> None:
    async with handmade(scene.port) as connection:
        for name in asked:
            answer = await connection.ask(scene.login, getattr(scene, name), signed=False)
            assert answer == KEY_IS_GOOD
        assert await connection.ask(scene.login, getattr(scene, signer)) == SUCCESS
        await assert_acts_as(scene, connection, signer)


@pytest.mark.parametrize("signed", [False, True])
async def test_asking_about_a_better_key_after_the_login_changes_nothing(
    scene: Scene, signed: bool
) -> None:
    async with handmade(scene.port) as connection:
        with connection.in_one_piece():
            connection.send_key(scene.login, scene.append)
        assert await connection.answer() == SUCCESS
        connection.send_key(scene.login, scene.full, signed=signed)
        await assert_acts_as(scene, connection, "append")


async def test_asking_about_a_better_key_in_the_same_breath_changes_nothing(scene: Scene) -> None:
    for order in ((False, True), (True, False)):
        async with handmade(scene.port) as connection:
            with connection.in_one_piece():
                for signed in order:
                    key = scene.append if signed else scene.full
                    connection.send_key(scene.login, key, signed=signed)
            answer = await connection.answer()
            if answer == KEY_IS_GOOD:  # the later question replaced the earlier try
                assert await connection.ask(scene.login, scene.append) == SUCCESS
            else:
                assert answer == SUCCESS
            await assert_acts_as(scene, connection, "append")


async def test_a_login_cannot_be_exchanged_while_the_key_is_looked_up(scene: Scene) -> None:
    attacker = new_key()
    await scene.add_key("attacker", attacker)
    own = await scene.house.repository("own", {"attacker": Access.FULL})
    outcomes = set()
    for delay in [None, *(step / 1000 for step in (0, 1, 2, 3, 4, 5, 7, 10, 15, 25, 50, 100))]:
        for victim_first in (False, True):
            async with handmade(scene.port) as connection:
                logins = [own.login, scene.login]
                if victim_first:
                    logins.reverse()
                outcomes.add(await race(connection, attacker, logins, delay))
    assert outcomes <= {own.login, None}
    assert_never_let_in(scene, attacker, scene.login)
    assert own.login in outcomes


async def race(
    connection: HandmadeConnection,
    key: asyncssh.SSHKey,
    logins: list[str],
    delay: float | None,
) -> str | None:
    """Two signed requests for two logins, one after the other; the login that one then has."""
    if delay is None:
        with connection.in_one_piece():
            for login in logins:
                connection.send_key(login, key)
    else:
        connection.send_key(logins[0], key)
        await asyncio.sleep(delay)
        connection.send_key(logins[1], key)
    # A try that another one overtakes is never answered.
    for seconds in (20.0, 0.3):
        answer = await connection.answer(seconds)
        if answer == SUCCESS:
            session = await rights(connection)
            return session["url"].split("//")[1].split("@")[0]
        if answer != FAILURE:
            break
    return None


def assert_never_let_in(scene: Scene, key: asyncssh.SSHKey, login: str) -> None:
    assert not scene.log.having("logged in", f"login={login}", key.get_fingerprint())


@pytest.mark.long
async def test_a_slow_database_gives_the_race_no_better_chance(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    attacker = new_key()
    await scene.add_key("second", attacker)
    own = await scene.house.repository("own2", {"second": Access.FULL})
    fast = login_service.authenticate

    async def slow(login: str, fingerprint: str, address: str) -> Identity | None:
        found = await fast(login, fingerprint, address)
        await asyncio.sleep(0.03)
        return found

    monkeypatch.setattr(login_service, "authenticate", slow)
    outcomes = set()
    for delay in (None, 0.0, 0.01, 0.025, 0.03, 0.031, 0.035):
        for logins in ([own.login, scene.login], [scene.login, own.login]):
            async with handmade(scene.port) as connection:
                outcomes.add(await race(connection, attacker, logins, delay))
    assert outcomes <= {own.login, None}
    assert_never_let_in(scene, attacker, scene.login)
