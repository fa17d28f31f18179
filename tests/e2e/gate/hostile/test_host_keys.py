"""The gate's own keys: brought along from a former server, never lost and replaced in silence."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

import asyncssh
import pytest

from hive.errors import StorageError
from tests.e2e.gate.harness import SSH_KEYGEN, open_house


def make(path: Path, *words: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([SSH_KEYGEN, "-q", "-N", "", "-f", path, *words], check=True)
    return path


@functools.cache
def rsa_key() -> bytes:
    """One for all tests: making it takes its time."""
    return asyncssh.generate_private_key("ssh-rsa", key_size=2048).export_private_key()


def bring(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(rsa_key())
    path.chmod(0o600)


def blob(path: Path) -> str:
    return path.with_name(path.name + ".pub").read_text().split()[1]


async def offered(port: int) -> set[str]:
    found = set()
    for algorithm in ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-256"):
        key = await asyncssh.get_server_host_key(
            "127.0.0.1", port, server_host_key_algs=[algorithm], config=None
        )
        if key is not None:
            found.add(key.export_public_key().decode().split()[1])
    return found


async def test_keys_of_a_former_server_are_offered(tmp_path: Path) -> None:
    rsa = make(tmp_path / "hive" / "ssh_host_rsa_key", "-t", "rsa", "-b", "3072", "-m", "PEM")
    ecdsa = make(tmp_path / "elsewhere" / "old_key", "-t", "ecdsa", "-b", "256")
    async with open_house(tmp_path, **{"ssh.host_keys": (str(ecdsa),)}) as house:
        found = await offered(house.port)
    own = tmp_path / "hive" / "ssh_host_ed25519_key"
    assert found == {blob(rsa), blob(ecdsa), blob(own)}
    assert own.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["ssh_host_ed25519_key", "ssh_host_rsa_key", "elsewhere"])
@pytest.mark.parametrize("harm", ["missing", "changed", "damaged", "open to all", "a directory"])
@pytest.mark.varied(5)
async def test_a_key_that_is_not_what_it_was_stops_the_start_and_is_not_replaced(
    tmp_path: Path, name: str, harm: str
) -> None:
    bring(tmp_path / "hive" / "ssh_host_rsa_key")
    named = make(tmp_path / "old" / "elsewhere", "-t", "ecdsa", "-b", "256")
    settings = {"ssh.host_keys": (str(named),)}
    async with open_house(tmp_path, **settings):
        pass
    path = named if name == "elsewhere" else tmp_path / "hive" / name
    if harm == "missing":
        path.rename(path.with_name("away"))
    elif harm == "changed":
        path.unlink()
        make(path, "-t", "ed25519")
    elif harm == "damaged":
        path.write_bytes(path.read_bytes()[:100])
    elif harm == "open to all":
        path.chmod(0o644)
    else:
        path.unlink()
        path.mkdir(mode=0o700)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StorageError, match=path.name):
        async with open_house(tmp_path, **settings):
            pass
    assert (path.read_bytes() if path.is_file() else None) == before
