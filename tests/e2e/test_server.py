"""The server as a process: its start, its end, and what a sudden end leaves."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.e2e.big_backups import end, make_big_source, start_big_backup, wait_for
from tests.e2e.installation import Installation


def borgs_of(installation: Installation) -> list[int]:
    """The borg serve processes that work in this installation's repositories."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            arguments = (entry / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if b"--restrict-to-repository" in arguments and bytes(installation.data) in arguments:
            found.append(int(entry.name))
    return found


def test_the_first_start_says_where_it_listens_and_how_to_set_it_up(
    installation: Installation,
) -> None:
    installation.starts_empty = True
    installation.start(expect_setup=True)
    assert installation.setup_url is not None
    assert installation.setup_url.startswith(f"{installation.web_url}/setup/")
    assert installation.stop() == 0
    assert not (installation.data / "run" / "listening.json").exists()
    installation.hive("user", "add", "root", "--admin")
    installation.start()
    assert installation.server is not None
    installation.signal(signal.SIGTERM)
    out, _ = installation.server.communicate(timeout=20)
    assert "/setup/" not in out


@pytest.mark.long
def test_a_second_server_on_the_same_data_is_refused(installation: Installation) -> None:
    installation.start()
    refused = installation.try_hive("serve", "--ssh", "127.0.0.1:0", "--web", "127.0.0.1:0")
    assert refused.returncode == 1
    assert "Another server" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def test_a_port_that_is_taken_is_said_in_one_line(
    installation: Installation, tmp_path: Path
) -> None:
    installation.start()
    other = Installation(tmp_path / "other")
    other.directory.mkdir()
    for option in ("--ssh", "--web"):
        port = installation.web_url.rpartition(":")[2]
        free = "--web" if option == "--ssh" else "--ssh"
        refused = other.try_hive("serve", option, f"127.0.0.1:{port}", free, "127.0.0.1:0")
        assert refused.returncode == 1
        assert "cannot listen" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_private_files_are_private(backed_up: Installation) -> None:
    for name in ("hive.sqlite3", "ssh_host_ed25519_key", "run"):
        assert (backed_up.data / name).stat().st_mode & 0o077 == 0
    repository = Path(backed_up.json("repo", "show", "laptop")["path"])
    assert repository.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in repository.rglob("*"))


@pytest.mark.long
def test_the_server_drains_on_sigterm_and_stops_at_once_on_the_second(
    backed_up: Installation, tmp_path: Path
) -> None:
    source = make_big_source(tmp_path / "big")
    process = start_big_backup(backed_up, source)
    backed_up.signal(signal.SIGTERM)
    assert process.wait(timeout=40) == 0
    assert backed_up.wait() == 0
    backed_up.start(expect_setup=True)
    url = backed_up.json("repo", "show", "laptop")["url"]
    assert set(backed_up.borg("list", "--short", url).split()) == {"one", "big"}
    backed_up.borg("delete", f"{url}::big")
    backed_up.borg("compact", url)
    process = start_big_backup(backed_up, source)
    backed_up.signal(signal.SIGTERM)
    time.sleep(0.2)  # two signals at the same moment are one to a process
    begun = time.monotonic()
    backed_up.signal(signal.SIGTERM)
    assert backed_up.wait() == 0
    assert time.monotonic() - begun < 30
    end(process)
    assert borgs_of(backed_up) == []
    backed_up.start(expect_setup=True)
    assert backed_up.json("session", "list", "--live") == []
    backed_up.borg("create", f"{url}::next", ".", cwd=tmp_path / "source")


def test_after_the_server_was_killed_the_next_backup_works_without_help(
    backed_up: Installation, tmp_path: Path
) -> None:
    source = make_big_source(tmp_path / "big")
    process = start_big_backup(backed_up, source)
    assert borgs_of(backed_up)
    backed_up.signal(signal.SIGKILL)
    backed_up.wait()
    end(process)
    backed_up.start(expect_setup=True)
    assert borgs_of(backed_up) == []
    ended = backed_up.json("session", "list")[0]
    assert ended["end_reason"] == "interrupted"
    assert ended["ended_at"] is not None
    url = backed_up.json("repo", "show", "laptop")["url"]
    backed_up.borg("create", f"{url}::next", ".", cwd=tmp_path / "source")
    backed_up.borg("check", url)


@pytest.mark.long
def test_a_running_session_shows_how_far_it_is(backed_up: Installation, tmp_path: Path) -> None:
    process = start_big_backup(backed_up, make_big_source(tmp_path / "big"))

    def shown() -> int:
        rows = backed_up.json("session", "list", "--live")
        return max((row["bytes_in"] or 0 for row in rows), default=0)

    wait_for(lambda: shown() > 1_000_000)
    end(process)


@pytest.mark.long
def test_locks_that_a_killed_borg_left_are_removed_at_start(backed_up: Installation) -> None:
    repository = backed_up.json("repo", "show", "laptop")
    holder = backed_up.start_borg(
        "with-lock", repository["url"], "sleep", "60", cwd=backed_up.directory
    )
    lock = Path(repository["path"]) / "lock.exclusive"
    wait_for(lock.is_dir)
    for pid in borgs_of(backed_up):
        os.kill(pid, signal.SIGSTOP)  # it does not see the end of its input
    backed_up.signal(signal.SIGKILL)
    backed_up.wait()
    end(holder)
    assert lock.is_dir()
    for pid in borgs_of(backed_up):
        os.kill(pid, signal.SIGKILL)
    backed_up.start(expect_setup=True)
    assert not lock.exists()
    kinds = [event["kind"] for event in backed_up.json("event", "list")]
    assert "lock removed" in kinds


@pytest.mark.long
def test_a_process_that_a_killed_server_left_is_ended_at_start(backed_up: Installation) -> None:
    repository = backed_up.json("repo", "show", "laptop")
    holder = backed_up.start_borg(
        "with-lock", repository["url"], "sleep", "60", cwd=backed_up.directory
    )
    lock = Path(repository["path"]) / "lock.exclusive"
    wait_for(lock.is_dir)
    left = borgs_of(backed_up)
    for pid in left:
        os.kill(pid, signal.SIGSTOP)
    backed_up.signal(signal.SIGKILL)
    backed_up.wait()
    end(holder)
    assert borgs_of(backed_up) == left
    backed_up.start(expect_setup=True)
    assert borgs_of(backed_up) == []
    assert not lock.exists()


# Notes where each catalogue and each of Babel's locales is read: in the event loop or beside it.
_WATCHED = """
import asyncio, sys
def note(event, arguments):
    path = str(arguments[0]) if event == "open" else ""
    if path.endswith(("messages.po", "locale-data/de.dat")):
        place = "loop" if asyncio._get_running_loop() else "thread"
        print(f"read in the {place}: {path}", file=sys.stderr, flush=True)
sys.addaudithook(note)
from hive.__main__ import main
main()
"""


def test_the_translations_are_read_at_the_start_and_not_in_the_event_loop(
    installation: Installation,
) -> None:
    def reads() -> list[str]:
        return re.findall(r"^read in the (\w+):", installation.log, re.MULTILINE)

    installation.starts_as = _WATCHED
    installation.start(expect_setup=True)
    assert reads() == ["thread", "thread"]
    german = {"Accept-Language": "de"}
    request = urllib.request.Request(f"{installation.web_url}/login", headers=german)  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own server
        assert "Anmelden" in answer.read().decode()
    assert installation.stop() == 0
    assert reads() == ["thread", "thread"]


def test_a_new_link_replaces_the_one_that_was_printed(installation: Installation) -> None:
    installation.start(expect_setup=True)
    assert installation.setup_url is not None
    again = installation.hive("setup-link").strip()
    assert again.startswith(f"{installation.web_url}/setup/")
    assert [_status(url) for url in (again, installation.setup_url)] == [200, 403]
    installation.hive("user", "add", "root", "--admin")
    refused = installation.try_hive("setup-link")
    assert (refused.returncode, "an administrator already" in refused.stderr) == (1, True)


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own server
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_both_families_have_the_port_of_the_ready_line(installation: Installation) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    both = "[::1]:0, 127.0.0.1:0"
    installation.options = ["--ssh", both, "--web", both]
    installation.start()
    web_port = int(installation.web_url.rpartition(":")[2])
    for host in ("127.0.0.1", "[::1]"):
        assert _status(f"http://{host}:{web_port}/login") == 200
        with socket.create_connection((host.strip("[]"), installation.ssh_port), 30) as client:
            assert client.recv(4) == b"SSH-"
