"""Real programs in a file system of their own, without Landlock, as where a kernel has none."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from hive.process.confine_privileges import open_seccomp
from hive.process.ownership import chown_tree
from hive.process.spec import Confinement
from tests import ordinary
from tests.programs import borg_commands
from tests.sshgate.hostile_acts import HOSTILE_ACTS, HOSTILE_READS, HOSTILE_WRITES
from tests.sshgate.support import NOBODY, borg, output_of, python, talk

BORG = borg_commands()
every_borg = pytest.mark.parametrize("command", BORG.values(), ids=BORG.keys())
ACTS = {**HOSTILE_READS, **HOSTILE_WRITES, **HOSTILE_ACTS}
if os.geteuid() != 0:
    del ACTS["a server's end"]  # of the same user, who alone may signal it; Landlock holds that

pytestmark = pytest.mark.skipif(not ordinary.has_mounts(), reason="no mount namespaces here")
# Landlock may be there, but does not help.
IN_OWN_FILES = Confinement(
    landlock=False,
    user=None,
    mounts=True,
    system_calls=open_seccomp() is not None,
    allow_root=True,
)


@every_borg
async def test_borg_works_in_a_file_system_of_its_own(command: str, repository: Path) -> None:
    """As an ordinary user where root starts it, though others cannot enter what is above."""
    home = repository.parent
    (home / "state").mkdir()
    home.parent.chmod(0o700)
    confinement = IN_OWN_FILES
    if os.geteuid() == 0:
        chown_tree(home, NOBODY)
        confinement = replace(confinement, user=NOBODY)
    await talk(borg(command, repository, home / "state"), confinement, repository)
    assert not repository.exists()
    assert home.exists()


@pytest.mark.parametrize("act", ACTS)
async def test_without_landlock_a_file_system_of_its_own_holds_a_program_too(
    act: str, open_place: Path
) -> None:
    """Of the same user as its neighbours, so that nothing but the mounts protects these."""
    own, other = open_place / "own", open_place / "other"
    own.mkdir()
    other.mkdir()
    (other / "secret").write_text("of somebody else")
    (own / "planted").symlink_to(other)
    (own / "tool").write_text("#!/bin/true\n")
    confinement = IN_OWN_FILES
    if os.geteuid() == 0:
        chown_tree(open_place, NOBODY)
        confinement = replace(confinement, user=NOBODY)
    tried = ACTS[act]
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as hidden:
        server.settimeout(0)
        hidden.bind(f"\0hive-test-{os.getpid()}")
        hidden.listen()
        hidden.settimeout(0)
        tried = tried.replace("PORT", str(server.getsockname()[1]))
        code = (
            "import os, socket, subprocess; up = os.path.dirname(os.getcwd())\n"
            f"try: print({tried.replace('PID', str(os.getpid()))})\n"
            "except OSError as error: print(error.errno)\n"
        )
        _, printed = await output_of(python(code, own, writable=(own,)), confinement)
        for listener in (server, hidden):
            with pytest.raises(BlockingIOError):
                listener.accept()
    assert "of somebody else" not in printed
    assert "secret" not in printed
    assert (other / "secret").read_text() == "of somebody else"
    assert [path.name for path in other.iterdir()] == ["secret"]
    assert not (open_place.parent / "hive-hostile").exists()
    assert sorted(path.name for path in open_place.iterdir()) == ["other", "own"]


async def test_a_readable_place_stays_as_it_is_without_landlock(tmp_path: Path) -> None:
    """Though it belongs to whom the program runs as."""
    (tmp_path / "file").write_text("content")
    code = "print(open('file').read()); open('file', 'a')"
    spec = python(code, tmp_path, readable=(tmp_path,))
    status, printed = await output_of(spec, IN_OWN_FILES)
    assert (status, printed.startswith("content"), "Read-only" in printed) == (1, True, True)
