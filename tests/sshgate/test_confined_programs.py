"""Real programs, confined: they do their work, and hostile ones reach nothing else."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from hive.process.child import Child
from hive.process.ownership import chown_tree
from hive.process.spec import ChildSpec, Confinement
from hive.services.programs.discovery import program_roots
from tests.programs import borg_commands
from tests.sshgate.hostile_acts import HOSTILE_ACTS, HOSTILE_READS, HOSTILE_WRITES
from tests.sshgate.support import (
    CONFINED,
    ENVIRONMENT,
    LANDLOCK,
    NOBODY,
    Rpc,
    borg,
    output_of,
    python,
    read_some,
    soon,
    talk,
    write_all,
)

BORG = borg_commands()
RSYNC = shutil.which("rsync") or ""
needs_landlock = pytest.mark.skipif(not LANDLOCK, reason="the kernel has no Landlock")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")
every_borg = pytest.mark.parametrize("command", BORG.values(), ids=BORG.keys())


def make_bridge(place: Path) -> tuple[Path, Path]:
    """What stands in for ssh: a script that joins a client to a socket; the socket's address."""
    address, bridge = place / "ssh", place / "bridge"
    bridge.write_text(
        "#!/usr/bin/python3\n"
        "import os, socket, threading\n"
        f"s = socket.socket(socket.AF_UNIX); s.connect({str(address)!r})\n"
        "def up():\n"
        "    while data := os.read(0, 65536): s.sendall(data)\n"
        "    s.shutdown(socket.SHUT_WR)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while data := s.recv(65536): os.write(1, data)\n"
    )
    bridge.chmod(0o700)
    return address, bridge


@every_borg
async def test_borg_works_confined_and_may_remove_its_own_directory(
    command: str, repository: Path, open_place: Path
) -> None:
    spec = borg(command, repository, open_place / "state")
    await talk(spec, CONFINED, repository)
    assert not repository.exists()
    assert repository.parent.exists()


@needs_root
async def test_borg_works_as_another_user(repository: Path, open_place: Path) -> None:
    command = BORG["1.2"]
    for path in (repository.parent, open_place / "state"):
        chown_tree(path, NOBODY)
    spec = borg(command, repository, open_place / "state")
    await talk(spec, Confinement(landlock=LANDLOCK, user=NOBODY), repository)
    assert not repository.exists()


@every_borg
async def test_borg_in_the_middle_of_a_put_lets_its_lock_go(
    command: str, repository: Path, open_place: Path
) -> None:
    child = Child.start(borg(command, repository, open_place / "state"), CONFINED)
    client = Rpc(child)
    await client.open(repository, create=True)
    await client.call("put", id=b"1" * 32, data=b"x" * 1000)
    assert (repository / "lock.exclusive").exists()
    await write_all(child.stdin_fd, b"\x84\xa1i\x63\xa1m\xa3put\xa1a\x82\xa2id\xda\x00\x20half")
    await soon(child.end(10))
    assert child.status == 0
    assert not (repository / "lock.exclusive").exists()
    child.close()


async def test_a_borg_client_makes_a_backup_through_the_pipes(
    repository: Path, open_place: Path
) -> None:
    address, bridge = make_bridge(open_place)
    statuses: list[int] = []

    async def serve(client: socket.socket) -> None:
        child = Child.start(borg(BORG["1.2"], repository, open_place / "state"), CONFINED)
        await asyncio.gather(_upload(client, child), _download(child, client))
        statuses.append(await soon(child.wait()))
        child.close()
        client.close()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen()
        listener.setblocking(False)
        for words in ("init -e none R", "create R::first /etc/hostname", "list R", "delete R"):
            argv = [BORG["1.2"], *words.replace("R", "ssh://x/./", 1).split()]
            environment = {
                **ENVIRONMENT,
                "HOME": str(open_place / "state"),
                "BORG_RSH": str(bridge),
                "BORG_DELETE_I_KNOW_WHAT_I_AM_DOING": "YES",
                "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            }
            client = await asyncio.create_subprocess_exec(
                *argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            joined, _ = await soon(asyncio.get_running_loop().sock_accept(listener))
            joined.setblocking(False)
            await soon(serve(joined))
            printed, _ = await soon(client.communicate())
            assert client.returncode == 0, printed.decode()
            assert ("first" in printed.decode()) == (words == "list R")
    assert statuses == [0] * 4
    assert not repository.exists()


async def _upload(client: socket.socket, child: Child) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(client, 65536):
        await write_all(child.stdin_fd, data)
    child.close_stdin()


async def _download(child: Child, client: socket.socket) -> None:
    while data := await read_some(child.stdout_fd):
        await asyncio.get_running_loop().sock_sendall(client, data)
    client.shutdown(socket.SHUT_WR)


@needs_landlock
@pytest.mark.parametrize("act", [*HOSTILE_READS, *HOSTILE_WRITES, *HOSTILE_ACTS])
async def test_a_hostile_program_reaches_nothing_outside(act: str, open_place: Path) -> None:
    own, other = open_place / "own", open_place / "other"
    own.mkdir()
    other.mkdir()
    (other / "secret").write_text("of somebody else")
    (own / "planted").symlink_to(other)
    (own / "tool").write_text("#!/bin/true\n")
    tried = {**HOSTILE_READS, **HOSTILE_WRITES, **HOSTILE_ACTS}[act]
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as hidden:
        hidden.bind(f"\0hive-test-{os.getpid()}")
        hidden.listen()
        tried = tried.replace("PORT", str(server.getsockname()[1]))
        code = (
            "import os, socket, subprocess; up = os.path.dirname(os.getcwd())\n"
            f"open('mine', 'w').close(); os.rename('mine', 'yours')\n"
            f"try: {tried.replace('PID', str(os.getpid()))}\n"
            "except OSError as error: print(error.errno)\n"
        )
        spec = python(code, own, writable=(own,), removable=(open_place,))
        status, printed = await output_of(spec)
    assert (status, printed.strip() in {"1", "13", "18"}) == (0, True), printed
    assert (own / "yours").exists()
    assert (other / "secret").read_text() == "of somebody else"
    assert sorted(path.name for path in open_place.iterdir()) == ["other", "own"]


@needs_landlock
async def test_a_readable_place_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    code = "print(open('file').read()); open('file', 'a')"
    status, printed = await output_of(python(code, tmp_path, readable=(tmp_path,)))
    assert (status, printed.startswith("content"), "PermissionError" in printed) == (1, True, True)


@needs_landlock
async def test_links_may_be_made_where_they_are_wanted(tmp_path: Path) -> None:
    spec = python("import os; os.symlink('/x', 'y')", tmp_path, writable=(tmp_path,), symlinks=True)
    assert (await output_of(spec))[0] == 0
    assert (tmp_path / "y").is_symlink()


@needs_landlock
async def test_a_repository_that_was_replaced_by_a_link_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "repository").symlink_to("/etc")
    spec = ChildSpec(
        argv=("/bin/true",), environment={}, cwd=tmp_path, writable=(tmp_path / "repository",)
    )
    status, printed = await output_of(spec)
    assert (status, "symbolic link" in printed) == (125, True)


@needs_landlock
async def test_a_program_may_signal_its_own_children(tmp_path: Path) -> None:
    code = (
        "import os, signal, time\n"
        "if not (pid := os.fork()): time.sleep(60)\n"
        "os.kill(pid, 9); print(os.waitpid(pid, 0)[1])"
    )
    assert await output_of(python(code, tmp_path)) == (0, "9\n")


@needs_root
async def test_another_user_can_neither_change_modes_outside_nor_become_root(
    open_place: Path,
) -> None:
    own = open_place / "own"
    own.mkdir()
    (open_place / "secret").write_text("of root")
    (own / "planted").symlink_to(open_place / "secret")
    chown_tree(own, NOBODY)
    code = (
        "import os; print(os.getresuid(), os.getresgid(), os.getgroups())\n"
        "for act in (lambda: os.chmod('planted', 0o777), lambda: os.utime('planted'),"
        " lambda: os.chown('planted', 65534, -1), lambda: os.setuid(0), lambda: os.setgid(0)):\n"
        "    try: act(); print('done')\n"
        "    except PermissionError: pass\n"
    )
    spec = ChildSpec(
        argv=("/usr/bin/python3", "-I", "-c", code), environment={}, cwd=own, writable=(own,)
    )
    status, printed = await output_of(spec, Confinement(landlock=LANDLOCK, user=NOBODY))
    assert (status, printed) == (0, "(65534, 65534, 65534) (65534, 65534, 65534) []\n")
    assert stat.S_IMODE((open_place / "secret").stat().st_mode) == 0o644


@pytest.mark.skipif(not RSYNC, reason="no rsync here")
@needs_landlock
async def test_rsync_receives_into_its_directory_and_nowhere_else(
    repository: Path, open_place: Path
) -> None:
    source = open_place / "source"
    (source / "data" / "0").mkdir(parents=True)
    (source / "data" / "0" / "1").write_bytes(os.urandom(300_000))
    (source / "evil").symlink_to("/etc/shadow")
    assert await _push(source, repository, open_place) == 0
    sent, received = (place / "data" / "0" / "1" for place in (source, repository))
    assert received.read_bytes() == sent.read_bytes()
    assert (repository / "evil").readlink() == Path("/rsyncd-munged//etc/shadow")
    outside = open_place / "outside"
    outside.mkdir()
    assert (
        await _push(source, outside, open_place, allowed=repository) == 23
    )  # 23: not all was transferred
    assert list(outside.iterdir()) == []


async def _push(source: Path, target: Path, place: Path, allowed: Path | None = None) -> int:
    """Send `source` by a real client to a confined server in `target`; the server's status."""
    address, bridge = make_bridge(place)
    argv = (RSYNC, "--server", "-logDtpre.iLsfxCIvu", "--munge-links", ".", ".")
    spec = ChildSpec(
        argv=argv,
        environment=ENVIRONMENT,
        cwd=target,
        writable=(allowed or target,),
        executable=program_roots(RSYNC),
        symlinks=True,
    )
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen()
        listener.setblocking(False)
        client = await asyncio.create_subprocess_exec(
            *(RSYNC, "-a", "-e", str(bridge), f"{source}/", "x:."), stderr=subprocess.DEVNULL
        )
        joined, _ = await soon(asyncio.get_running_loop().sock_accept(listener))
    address.unlink()
    joined.setblocking(False)
    child = Child.start(spec, CONFINED)
    uploading = asyncio.ensure_future(_upload(joined, child))
    await soon(_download(child, joined))
    status = await soon(child.wait(), 10)
    uploading.cancel()
    await asyncio.gather(uploading, return_exceptions=True)
    child.close()
    joined.close()
    await soon(client.wait())
    return int(status)
