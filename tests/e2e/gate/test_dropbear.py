"""Dropbear, as on routers, storage boxes and in an initramfs: the real `dbclient`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from hive.kinds import Access, AddressTrouble
from hive.services.gate import client_addresses
from hive.services.keys import keys
from hive.services.permissions import OPERATOR
from tests.e2e.gate.harness import Client, House, open_house, until

DROPBEARKEY = shutil.which("dropbearkey") or "/usr/bin/dropbearkey"
DROPBEARCONVERT = shutil.which("dropbearconvert") or "/usr/bin/dropbearconvert"
KINDS = {"ed25519": ("-t", "ed25519"), "rsa": ("-t", "rsa", "-s", "3072")}


def make_dropbear_key(client: Client, kind: str) -> str:
    """Make a key in Dropbear's own format; its public line."""
    path = client.directory / f"dropbear_{kind}"
    made = subprocess.run(
        [DROPBEARKEY, *KINDS[kind], "-f", path], check=True, capture_output=True, text=True
    )
    return next(line for line in made.stdout.splitlines() if line.startswith("ssh-"))


def convert_openssh_key(client: Client) -> None:
    subprocess.run(
        [
            DROPBEARCONVERT,
            "openssh",
            "dropbear",
            client.directory / "id",
            client.directory / "dropbear_converted",
        ],
        check=True,
        capture_output=True,
    )


async def dropbear_house(house: House, kind: str) -> tuple[Client, str]:
    client = house.client()
    await house.user()
    if kind == "converted":
        convert_openssh_key(client)
        line = client.public_key
    else:
        line = make_dropbear_key(client, kind)
    await keys.add_key(OPERATOR, keys.AddKey(name=kind, owner="alice", text=line))
    made = await house.repository("laptop", {kind: Access.FULL})
    client.extra_environment["BORG_RSH"] = f"dbclient -y -i {client.directory}/dropbear_{kind}"
    return client, f"ssh://{made.login}@127.0.0.1:{house.port}/./laptop"


@pytest.mark.long
@pytest.mark.parametrize("kind", ["ed25519", "rsa", "converted"])
async def test_borg_works_over_dropbear_with_compatible_algorithms(
    tmp_path: Path, kind: str
) -> None:
    async with open_house(tmp_path, **{"ssh.algorithms": "compatible"}) as house:
        client, url = await dropbear_house(house, kind)
        (client.directory / "data").write_text("some data")
        (await client.borg("init", "-e", "repokey", url)).must()
        (await client.borg("create", f"{url}::first", "data")).must()
        assert "first" in (await client.borg("list", url)).must().text
        # Other clients take the same exchange as before.
        login = url.split("//")[1].split("@")[0]
        if kind == "converted":
            (await client.ssh(login, "status")).must()


async def test_hardened_refuses_dropbear_and_names_the_setting(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        client, url = await dropbear_house(house, "ed25519")

        async def is_written() -> bool:
            # one that hangs up at once may be gone before a busy server has read what it offers
            assert (await client.borg("list", url)).status != 0
            await house.gate.write_observations()
            return bool(await client_addresses.without_common_algorithm(OPERATOR))

        await until(is_written)
        (info,) = await client_addresses.without_common_algorithm(OPERATOR)
        (trouble,) = info.troubles
        assert trouble.trouble == AddressTrouble.NO_COMMON_ALGORITHM
        assert trouble.client.startswith("SSH-2.0-dropbear")
        assert "no MAC" in trouble.reason
        assert "`ssh.algorithms = compatible` accepts this client." in trouble.reason
