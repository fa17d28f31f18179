"""What the gate speaks: nothing weak for those who look, enough for those with old clients."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from hive.kinds import Access
from hive.services.keys import keys
from hive.services.permissions import OPERATOR
from tests.e2e.gate.harness import Client, House, open_house
from tests.e2e.gate.hostile.scene import open_scene

# What ssh -Q says of OpenSSH 7.4, without what it does not offer by itself.
OPENSSH_74 = {
    "KexAlgorithms": "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,"
    "ecdh-sha2-nistp384,ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,"
    "diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,"
    "diffie-hellman-group-exchange-sha1,diffie-hellman-group14-sha256,diffie-hellman-group14-sha1",
    "Ciphers": "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,"
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-cbc,aes192-cbc,aes256-cbc",
    "MACs": "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,"
    "hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com,umac-64@openssh.com,"
    "umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1",
    "HostKeyAlgorithms": "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256,ssh-rsa",
    "PubkeyAcceptedAlgorithms": "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256,ssh-rsa",
}
KINDS = {
    "ed25519": ("-t", "ed25519"),
    "ecdsa": ("-t", "ecdsa", "-b", "256"),
    "rsa": ("-t", "rsa", "-b", "3072"),
}


def old_options(**more: str) -> list[str]:
    return [
        word for name, value in {**OPENSSH_74, **more}.items() for word in ("-o", f"{name}={value}")
    ]


async def with_all_keys(house: House) -> tuple[Client, str]:
    client = house.client()
    await house.user()
    for name, words in KINDS.items():
        path = client.make_key(name, *words)
        text = path.with_name(f"{name}.pub").read_text()
        await keys.add_key(OPERATOR, keys.AddKey(name=name, owner="alice", text=text))
    made = await house.repository("laptop", dict.fromkeys(KINDS, Access.FULL))
    return client, made.login


@pytest.mark.parametrize("profile", ["hardened", "compatible"])
async def test_a_client_of_2016_connects_with_every_kind_of_key(
    tmp_path: Path, profile: str
) -> None:
    async with open_house(tmp_path, **{"ssh.algorithms": profile}) as house:
        client, login = await with_all_keys(house)
        for name in KINDS:
            # The last -i would win over none; the harness names a key that opens nothing.
            options = ["-i", str(client.directory / name), "-C", *old_options()]
            (await client.ssh(login, "status", options=options)).must()
            session = await house.last_session()
            assert session.key == name
        for cipher in ("aes256-ctr", "aes128-gcm@openssh.com"):
            (await client.ssh(login, options=[*options, "-c", cipher])).must()
        chacha = ["-o", "Ciphers=chacha20-poly1305@openssh.com"]
        done = await client.ssh(login, "status", options=[*chacha, *options])
        assert (done.status == 0) == (profile == "compatible")


async def audit(port: int) -> tuple[dict[str, object], str]:
    """What ssh-audit finds, as data and as text of its failures."""
    program = Path(sys.executable).with_name("ssh-audit")
    process = await asyncio.create_subprocess_exec(
        program,
        "-j",
        "-p",
        str(port),
        "127.0.0.1",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return json.loads(out), out.decode()


async def test_an_audit_finds_no_failure_and_enough_throttling(tmp_path: Path) -> None:
    limits = {
        "ssh.new_connections_burst_per_address": 20,
        "ssh.new_connections_per_minute_per_address": 120,
    }
    async with open_scene(tmp_path, **limits) as scene:
        found, _ = await audit(scene.port)
        failures = [
            (kind, entry["algorithm"], entry["notes"]["fail"])
            for kind in ("kex", "key", "enc", "mac")
            for entry in found[kind]  # type: ignore[attr-defined]
            if entry["notes"].get("fail")
        ]
        assert not failures
        assert "throttling" not in json.dumps(found["additional_notes"])
        assert found["cves"] == []
        # Whoever audits has used up what one address may do, and nobody else's share.
        await scene.status(local_addr=("127.0.0.2", 0))
        scene.gate.doorman.release("127.0.0.1")
