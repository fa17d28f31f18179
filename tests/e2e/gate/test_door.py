"""Many machines behind one address, slow people, and those who are turned away: real OpenSSH."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hive import clock
from hive.config.settings import SshSettings
from hive.errors import Conflict
from hive.kinds import Access, AddressTrouble
from hive.services.gate import client_addresses
from hive.services.permissions import OPERATOR
from tests.e2e.gate.harness import Client, Done, House, open_house, until
from tests.programs import borg_command

BORG = borg_command("1.4")

# What is in force where nobody has set anything; the harness is more generous.
DEFAULTS = {
    "ssh.new_connections_burst_per_address": 20,
    "ssh.new_connections_per_minute_per_address": 120,
}


async def site(house: House, repositories: int = 1) -> tuple[Client, list[str]]:
    """A client with a key, and the logins of the repositories that it opens."""
    client = house.client()
    await house.user()
    await house.key(client, "k")
    made = [await house.repository(f"r{i}", {"k": Access.FULL}) for i in range(repositories)]
    return client, [one.login for one in made]


async def ask(client: Client, login: str) -> Done:
    target = f"{login}@127.0.0.1"
    return await client.run("ssh", *client.ssh_options(), target, "status", seconds=170)


@pytest.mark.parametrize("machines", [12, 20, 40, 160])
async def test_machines_that_start_at_the_same_second_through_one_address_all_get_in(
    tmp_path: Path, machines: int
) -> None:
    async with open_house(tmp_path, **DEFAULTS) as house:
        # All on one repository: to ask for the status takes no session's place.
        client, (login,) = await site(house)
        done = await asyncio.gather(*(ask(client, login) for _ in range(machines)))
        assert [(one.status, one.error) for one in done if one.status] == []


async def test_scripts_that_connect_again_and_again_all_get_in(tmp_path: Path) -> None:
    async with open_house(tmp_path, **DEFAULTS) as house:
        client, logins = await site(house, 6)

        async def script(login: str) -> list[Done]:
            return [await ask(client, login) for _ in range(10)]

        done = await asyncio.gather(*(script(login) for login in logins))
        assert [one.error for script in done for one in script if one.status] == []


async def test_ssh_and_borg_show_why_they_are_turned_away(tmp_path: Path) -> None:
    settings = {"ssh.max_unauthenticated_per_address": 1, "ssh.max_waiting_per_address": 1}
    async with open_house(tmp_path, **settings) as house:
        client, (login,) = await site(house)
        crowd = [await asyncio.open_connection("127.0.0.1", house.port) for _ in range(2)]

        async def is_crowded() -> bool:
            return house.gate.doorman.waiting == 1

        await until(is_crowded)
        said = "Too many connections from your address 127.0.0.1 are waiting to log in"
        direct = await client.ssh(login, "status")
        assert (direct.status, said in direct.error) == (255, True), direct.error
        # borg may notice the end before it has read what its ssh wrote; ssh has written it then.
        url = f"ssh://{login}@127.0.0.1:{house.port}/./r0"
        by_borg = [await client.borg("list", url) for _ in range(5)]
        assert all(one.status for one in by_borg)
        assert any(said in one.error for one in by_borg), by_borg[0].error
        for _, writer in crowd:
            writer.close()
        await house.gate.write_observations()
        (info,) = await client_addresses.list_addresses(OPERATOR)
        (trouble,) = info.troubles
        assert (info.network, trouble.trouble) == ("127.0.0.1", AddressTrouble.TURNED_AWAY)
        assert trouble.count == 6
        assert said in trouble.reason


async def test_a_banned_address_reads_it_until_it_is_released(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        client, (login,) = await site(house)
        (await client.ssh(login, "status")).must()
        # It logged in lately: a ban must be meant.
        with pytest.raises(Conflict, match=r"logged in from 127\.0\.0\.1 in the last"):
            await client_addresses.ban(OPERATOR, "127.0.0.1")
        (await client.ssh(login, "status")).must()
        await client_addresses.ban(
            OPERATOR, "127.0.0.0/8", is_confirmed=True, expires_at=clock.now().replace(year=2100)
        )

        async def is_banned() -> bool:
            return house.gate.doorman.is_banned("127.0.0.1")

        await until(is_banned)
        refused = await client.ssh(login, "status")
        assert refused.status == 255
        assert "has banned your address 127.0.0.1" in refused.error
        with pytest.raises(Conflict, match="is inside 127"):
            await client_addresses.release(OPERATOR, "127.0.0.1")
        await client_addresses.release(OPERATOR, "127.0.0.0/8")

        async def is_free() -> bool:
            return not await is_banned()

        await until(is_free)
        (await client.ssh(login, "status")).must()


async def confirm_slowly(client: Client, login: str, seconds: float) -> Done:
    """ssh asks whether to continue, and its user compares the fingerprint for a while."""
    answer = client.directory / "answer"
    answer.write_text(f"#!/bin/sh\nsleep {seconds}\necho yes\n")
    answer.chmod(0o700)
    options = " ".join(client.ssh_options())
    options = options.replace("BatchMode=yes", "BatchMode=no")
    options = options.replace("StrictHostKeyChecking=yes", "StrictHostKeyChecking=ask")
    (client.directory / "known_hosts").write_text("")
    return await client.run(
        "ssh",
        *options.split(),
        f"{login}@127.0.0.1",
        "status",
        SSH_ASKPASS=str(answer),
        SSH_ASKPASS_REQUIRE="force",
    )


@pytest.mark.long
async def test_a_person_may_take_time_to_compare_the_fingerprint(tmp_path: Path) -> None:
    assert SshSettings().login_seconds == 120
    settings = {"ssh.key_exchange_seconds": 1, "ssh.login_seconds": 20}
    async with open_house(tmp_path, **settings) as house:
        client, (login,) = await site(house)
        (await confirm_slowly(client, login, 3)).must()


@pytest.mark.long
async def test_a_person_who_takes_too_long_reads_why(tmp_path: Path) -> None:
    async with open_house(tmp_path, **{"ssh.login_seconds": 2}) as house:
        client, (login,) = await site(house)
        done = await confirm_slowly(client, login, 4)
        assert done.status == 255
        assert "You did not log in within 2 seconds. Connect again." in done.error


async def test_machines_with_a_key_each_make_their_first_backup_in_the_same_minute(
    tmp_path: Path,
) -> None:
    """A company behind one address, as it is on the first night: `borg init`, `borg create`."""
    async with open_house(tmp_path, **DEFAULTS) as house:
        await house.user()
        clients = [house.client() for _ in range(20)]
        urls = []
        for number, client in enumerate(clients):
            await house.key(client, f"k{number}")
            info = await house.repository(f"m{number}", {f"k{number}": Access.APPEND_ONLY})
            urls.append(f"ssh://{info.login}@127.0.0.1:{house.port}/./m{number}")

        async def first_night(client: Client, url: str) -> list[str]:
            init = await client.run(BORG, "init", "-e", "none", url, seconds=220)
            create = await client.run(BORG, "create", f"{url}::a", "id.pub", seconds=220)
            return [one.error for one in (init, create) if one.status]

        nights = await asyncio.gather(*map(first_night, clients, urls))
        assert [error for night in nights for error in night] == []
        assert house.gate.doorman.waiting == 0
        await house.gate.write_observations()
        assert await client_addresses.list_addresses(OPERATOR) == []


async def test_machines_with_wrong_keys_do_not_keep_their_neighbours_out(tmp_path: Path) -> None:
    async with open_house(tmp_path, **DEFAULTS) as house:
        client, (login,) = await site(house)
        stranger = house.client()
        asked = [client, stranger] * 40
        done = await asyncio.gather(*(ask(one, login) for one in asked))
        assert [one.error for one in done[0::2] if one.status] == []
        assert {one.status for one in done[1::2]} == {255}
