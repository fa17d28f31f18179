"""Who the programs of sessions are where root starts the server: an ordinary account, or nobody."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ordinary
from tests.e2e.installation import Installation

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts programs as others")
needs_mounts = pytest.mark.skipif(not ordinary.has_mounts(), reason="no mount namespaces here")

ACCOUNT = f"hive-test-{os.getpid()}"
SERVE = ("serve", "--ssh", "127.0.0.1:0", "--web", "127.0.0.1:0")


@pytest.fixture
def account() -> Iterator[str]:
    """The name of an account that is not there yet; it is gone in the end."""
    yield ACCOUNT
    subprocess.run(["/usr/sbin/userdel", ACCOUNT], capture_output=True, check=False)


def status_of_session(installation: Installation) -> dict[str, str]:
    """What the kernel says of a borg that serves just now."""
    url = installation.json("repo", "show", "laptop")["url"]
    client = installation.start_borg("with-lock", url, "sleep", "20", cwd=installation.directory)
    try:
        for _ in range(200):
            for entry in Path("/proc").glob("[0-9]*"):
                try:
                    arguments = (entry / "cmdline").read_bytes()
                    if b"--restrict-to-repository" not in arguments:
                        continue
                    if (
                        bytes(installation.data) not in arguments
                        or b"hive.process.confine" in arguments
                    ):
                        continue
                    lines = (entry / "status").read_text().splitlines()
                except OSError:
                    continue
                return dict(line.split(":\t", 1) for line in lines if ":\t" in line)
            time.sleep(0.05)
        raise AssertionError(installation.log)
    finally:
        client.kill()
        client.wait()


@pytest.mark.long
@needs_mounts
def test_the_server_makes_the_account_and_sessions_run_as_it(
    account: str, installation: Installation, request: pytest.FixtureRequest
) -> None:
    installation.environment |= {"HIVE_CHILD__USER": account, "HIVE_CHILD__ALLOW_ROOT": "false"}
    request.getfixturevalue("backed_up")
    made = pwd.getpwnam(account)
    assert (made.pw_uid != 0, made.pw_gid != 0) == (True, True)
    assert made.pw_shell in {"/usr/sbin/nologin", "/sbin/nologin", "/bin/false"}
    status = status_of_session(installation)
    assert set(status["Uid"].split()) == {str(made.pw_uid)}
    assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert f"Programs run as the user {account}" in installation.log
    repositories = installation.data / "repos"
    owners = {path.lstat().st_uid for path in repositories.glob("*/*")}
    assert owners == {made.pw_uid}


def test_where_no_account_can_be_had_the_server_does_not_start_and_says_what_helps(
    installation: Installation,
) -> None:
    installation.environment |= {
        "HIVE_CHILD__USER": "No Such:Name",
        "HIVE_CHILD__ALLOW_ROOT": "false",
    }
    refused = installation.try_hive(*SERVE)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "never run as root" in refused.stderr
    assert "useradd --system" in refused.stderr.splitlines()[-1]


def test_root_is_no_account_for_sessions(installation: Installation) -> None:
    installation.environment |= {"HIVE_CHILD__USER": "root", "HIVE_CHILD__ALLOW_ROOT": "false"}
    refused = installation.try_hive(*SERVE)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "is root" in refused.stderr
    assert "child.user" in refused.stderr


@pytest.mark.long
def test_root_where_it_is_allowed_has_no_capabilities_and_is_warned_of(
    installation: Installation, request: pytest.FixtureRequest
) -> None:
    installation.environment |= {"HIVE_CHILD__USER": "root", "HIVE_CHILD__ALLOW_ROOT": "true"}
    request.getfixturevalue("backed_up")
    status = status_of_session(installation)
    assert set(status["Uid"].split()) == {"0"}
    assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert "child.allow_root is true" in installation.log
    assert "child.allow_root is true" in installation.try_hive("doctor").stdout


def test_a_data_directory_out_of_reach_is_refused_before_anything_listens(
    installation: Installation,
) -> None:
    installation.directory.chmod(0o700)
    installation.environment |= {
        "HIVE_CHILD__MOUNT_NAMESPACE": "false",
        "HIVE_CHILD__ALLOW_ROOT": "false",
    }
    refused = installation.try_hive(*SERVE)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert re.search(r"cannot pass /\S+ to reach /\S+", refused.stderr)
    assert "--data-dir" in refused.stderr


@pytest.mark.long
@needs_mounts
@pytest.mark.usefixtures("backed_up")
def test_a_private_directory_above_the_data_keeps_nobody_out(installation: Installation) -> None:
    installation.directory.chmod(0o700)
    url = installation.json("repo", "show", "laptop")["url"]
    installation.borg("extract", f"{url}::one", cwd=installation.directory)
    assert (installation.directory / "file").read_text() == "content\n" * 1000


@pytest.mark.long
@needs_mounts
def test_repositories_of_a_server_that_ran_as_root_are_handed_over(
    installation: Installation, request: pytest.FixtureRequest
) -> None:
    installation.environment |= {"HIVE_CHILD__USER": "root", "HIVE_CHILD__ALLOW_ROOT": "true"}
    request.getfixturevalue("backed_up")
    installation.stop()
    home = next((installation.data / "repos").glob("*/laptop")).parent
    assert home.stat().st_uid == 0
    for number in range(3):  # others, which no session asks for
        installation.hive("repo", "add", f"other{number}", "--owner", "alice")
        login = installation.json("repo", "show", f"other{number}")["login"]
        shutil.copytree(home, installation.data / "repos" / login)
        (installation.data / "repos" / login / "laptop").rename(
            installation.data / "repos" / login / f"other{number}"
        )
    installation.environment |= {"HIVE_CHILD__USER": "nobody", "HIVE_CHILD__ALLOW_ROOT": "false"}
    assert "4 repositories, for example" in installation.try_hive("doctor").stdout
    installation.start()
    url = installation.json("repo", "show", "laptop")["url"]
    assert "one" in installation.borg("list", url)
    nobody = pwd.getpwnam("nobody").pw_uid
    for _ in range(200):
        jobs = {job["name"]: job for job in installation.json("job", "list")}
        if jobs["hand over repositories"]["succeeded_at"]:
            break
        time.sleep(0.05)
    paths = set((installation.data / "repos").rglob("*"))
    paths.remove(installation.data / "repos/.hive-location")  # which no program of a session needs
    assert {path.lstat().st_uid for path in paths} == {nobody}
    assert "Hand-over" not in installation.try_hive("doctor").stdout
