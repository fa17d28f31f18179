"""A server that root started: its programs run as another user, who reaches one directory."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

import pytest

from hive.kinds import Mode
from tests.e2e.gate.files import content, fingerprint, make_files
from tests.e2e.gate.harness import open_house
from tests.e2e.gate.transfers import prepare
from tests.programs import borg_command

# The borg that the system has: a test's own can lie where no other user gets to.
AS_NOBODY = {"child.user": "nobody", "borg.command": borg_command("1.2")}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")


@pytest.fixture
def reachable(open_place: Path) -> Path:
    """A directory that everybody can pass, unlike pytest's own, and that nobody can look into."""
    open_place.chmod(0o711)
    return open_place


@pytest.mark.long
async def test_imports_and_backups_belong_to_the_user_that_programs_run_as(
    reachable: Path, source: Path, tmp_path: Path
) -> None:
    nobody = pwd.getpwnam("nobody")
    (source / "config").chmod(0o666)
    async with open_house(reachable, **AS_NOBODY) as house:
        assert house.gate.host.confinement.user is not None
        transfer = await prepare(house, source)
        home = transfer.info.path.parent

        def must_be_private() -> None:
            for path in (home, *home.rglob("*")):
                status = path.lstat()
                assert (status.st_uid, status.st_gid) == (nobody.pw_uid, nobody.pw_gid), path
                assert stat.S_IMODE(status.st_mode) & 0o077 == 0, path

        (await transfer.push("-a", "--numeric-ids")).must()
        assert content(transfer.info.path) == content(source)
        must_be_private()
        (source / "README").write_text("again\n")
        assert "is in place" in (await transfer.push("-a")).must().error
        must_be_private()
        # the trash is the server's alone
        assert stat.S_IMODE((home.parent / ".trash").stat().st_mode) == 0o700
        assert (home.parent / ".trash").stat().st_uid == 0

        await transfer.switch(Mode.EXPORT)
        (await transfer.pull(tmp_path / "target")).must()
        made_again = ("index.", "hints.", "integrity.")  # by borg, from the segments
        sent = {
            name: seen
            for name, seen in fingerprint(source).items()
            if not name.startswith(made_again)
        }
        assert fingerprint(tmp_path / "target") == sent

        await transfer.switch(Mode.BORG)
        url = transfer.info.url
        (await transfer.borg("create", f"{url}::new", make_files(tmp_path / "new"))).must()
        must_be_private()
        (await transfer.borg("delete", url)).must()
        assert not (transfer.info.path / "config").exists()
        (await transfer.borg("init", "-e", "none", url)).must()
        must_be_private()


async def test_another_user_is_stopped_where_landlock_is_not(reachable: Path, source: Path) -> None:
    """Landlock does not know chmod and utime; that the user may not is the second half."""
    outside = reachable / "outside"
    outside.mkdir()
    (outside / "file").write_text("as it was\n")
    os.utime(outside / "file", (1_100_000_000, 1_100_000_000))
    async with open_house(reachable, **AS_NOBODY, **{"child.mount_namespace": False}) as house:
        assert house.gate.host.confinement.user is not None
        transfer = await prepare(house, source)
        transfer.info.path.parent.mkdir(mode=0o700)
        transfer.staging.mkdir(mode=0o700)
        (transfer.staging / "link").symlink_to(outside)
        (source / "link").mkdir()
        (source / "link" / "file").write_text("as it was\n")
        (source / "link" / "file").chmod(0o666)
        await transfer.push("-rtp", "--inplace", "--size-only")
        status = (outside / "file").stat()
        assert (status.st_mtime, stat.S_IMODE(status.st_mode)) == (1_100_000_000, 0o644)
