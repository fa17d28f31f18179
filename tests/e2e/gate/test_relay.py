"""Every byte arrives and every exit status is right, with real ssh and children of all tempers."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hive.kinds import Access
from tests.e2e.gate.files import noise
from tests.e2e.gate.harness import Client, House, open_house

SIZE = 50_000_000
Serve = Callable[[str], None]

SLOW_READER = """
import hashlib, sys, time
digest = hashlib.sha256()
while data := sys.stdin.buffer.read(1_000_000):
    digest.update(data)
    time.sleep(0.02)
print(digest.hexdigest())
"""
SLOW_CLIENT = """
import hashlib, sys, time
digest = hashlib.sha256()
while data := sys.stdin.buffer.read(1_000_000):
    digest.update(data)
    time.sleep(0.02)
print(digest.hexdigest())
"""
WRITER = """
import random, sys
sys.stdout.buffer.write(random.Random(1).randbytes(50_000_000))
sys.exit(5)
"""


async def with_login(house: House) -> tuple[Client, str]:
    client = house.client()
    await house.user()
    await house.key(client, "laptop")
    made = await house.repository("laptop", {"laptop": Access.FULL})
    return client, made.login


async def test_fifty_megabytes_arrive_at_a_slow_reader(house: House, serve: Serve) -> None:
    client, login = await with_login(house)
    serve(SLOW_READER)
    data = noise(SIZE)
    done = (await client.ssh(login, "borg", "serve", data=data)).must()
    assert done.text.strip() == hashlib.sha256(data).hexdigest()
    assert (await house.last_session()).bytes_in == SIZE


async def test_fifty_megabytes_arrive_at_a_slow_client(
    house: House, serve: Serve, tmp_path: Path
) -> None:
    client, login = await with_login(house)
    serve(WRITER)
    reader = tmp_path / "reader.py"
    reader.write_text(SLOW_CLIENT)
    command = " ".join(["ssh", *client.ssh_options(), f"{login}@127.0.0.1", "borg", "serve"])
    script = f"{command} | {sys.executable} {reader}; exit ${{PIPESTATUS[0]}}"
    done = (await client.run("/bin/bash", "-c", script)).must(5)
    assert done.text.strip() == hashlib.sha256(noise(SIZE)).hexdigest()
    assert (await house.last_session()).bytes_out == SIZE


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_keys_are_renewed_every_few_megabytes(
    tmp_path: Path, serve: Serve, direction: str
) -> None:
    async with open_house(tmp_path, **{"ssh.rekey_bytes": 3 * 1024**2}) as house:
        client, login = await with_login(house)
        serve(SLOW_READER if direction == "up" else WRITER)
        data = noise(SIZE)
        options = ["-o", "RekeyLimit=2M"]
        if direction == "up":
            done = await client.ssh(login, "borg", "serve", data=data, options=options)
            assert done.must().text.strip() == hashlib.sha256(data).hexdigest()
        else:
            done = await client.ssh(login, "borg", "serve", options=options)
            assert done.must(5).out == data


async def test_a_child_that_ends_early_ends_the_session_with_its_status(
    house: House, serve: Serve
) -> None:
    client, login = await with_login(house)
    serve("import sys; sys.stdin.buffer.read(1_000_000); print('enough'); sys.exit(7)")
    done = (await client.ssh(login, "borg", "serve", data=noise(SIZE))).must(7)
    assert done.text == "enough\n"


async def test_what_a_child_says_as_it_ends_arrives(house: House, serve: Serve) -> None:
    client, login = await with_login(house)
    serve(
        "import os, sys\n"
        "sys.stdout.write('o' * 3_000_000); sys.stderr.write('e' * 3_000_000)\n"
        "sys.stdout.flush(); sys.stderr.flush(); os._exit(3)"
    )
    for _ in range(5):
        done = (await client.ssh(login, "borg", "serve")).must(3)
        assert len(done.out) == 3_000_000
        assert len(done.err) == 3_000_000


async def test_a_child_that_a_signal_ended_gives_the_status_of_a_shell(
    house: House, serve: Serve
) -> None:
    client, login = await with_login(house)
    serve("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    (await client.ssh(login, "borg", "serve")).must(137)
    assert (await house.last_session()).exit_status == 137


async def test_a_child_that_closes_its_input_may_go_on(house: House, serve: Serve) -> None:
    client, login = await with_login(house)
    serve("import os, time; os.close(0); time.sleep(0.5); print('done')")
    done = (await client.ssh(login, "borg", "serve", data=noise(5_000_000))).must()
    assert done.text == "done\n"


async def test_the_environment_and_descriptors_of_a_child_are_ours(
    house: House, serve: Serve
) -> None:
    client, login = await with_login(house)
    serve("import os; print(sorted(os.environ), sorted(map(int, os.listdir('/proc/self/fd')))[:4])")
    done = await client.ssh(login, "borg", "serve", options=["-o", "SetEnv=LD_PRELOAD=/x FOO=1"])
    assert "LD_PRELOAD" not in done.text
    assert "FOO" not in done.text
