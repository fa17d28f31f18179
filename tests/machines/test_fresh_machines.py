"""README's two commands on machines where nothing is installed yet."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.machines.debian import System

pytestmark = [pytest.mark.long, pytest.mark.timeout(2400)]

HERE = Path(__file__).parent
WHAT_PYTHON_SAYS = re.compile(r"\w+Warning\b|Traceback")


def report_of(machine: System, directory: str) -> dict[str, str]:
    return {
        file.name: file.read_text() for file in (machine.root / directory.lstrip("/")).iterdir()
    }


def assert_all_went_well(report: dict[str, str]) -> None:
    said_to_clients = {name: text for name, text in report.items() if name.startswith("client-")}
    assert len(said_to_clients) == 6
    for name, text in [*said_to_clients.items(), ("server.log", report["server.log"])]:
        assert not WHAT_PYTHON_SAYS.search(text), (name, text)
    assert report["client-list"].split() == ["first"]
    assert "documents" in report["client-status"]
    assert not [line for line in report["doctor"].splitlines() if line.startswith("ERROR")]
    assert "exit status" not in report["doctor"]


def test_as_root_the_server_installs_what_it_needs_and_takes_a_backup(machine: System) -> None:
    machine.install("openssh-client")
    machine.put_checkout("/srv/borg-hive")
    shutil.copy(HERE / "first_backup.sh", machine.root / "srv")
    machine.must("sh", "-c", "cd /srv/borg-hive && bash ../first_backup.sh /srv/report")
    report = report_of(machine, "/srv/report")
    assert_all_went_well(report)
    assert "installing" in report["server.log"]


def test_an_ordinary_user_runs_the_server_with_the_packages_that_are_there(
    machine: System,
) -> None:
    machine.install("openssh-client", "borgbackup", "rsync", "python3-venv")
    machine.must("useradd", "--create-home", "--shell", "/bin/bash", "anna")
    machine.put_checkout("/home/anna/borg-hive")
    shutil.copy(HERE / "first_backup.sh", machine.root / "home/anna")
    machine.must("chown", "-R", "anna:anna", "/home/anna")
    script = "cd ~/borg-hive && bash ../first_backup.sh ~/report"
    machine.must("su", "--login", "anna", "--command", script)
    assert_all_went_well(report_of(machine, "/home/anna/report"))


def test_an_ordinary_user_is_told_which_packages_are_missing(machine: System) -> None:
    machine.install("python3-venv")
    machine.must("useradd", "--create-home", "--shell", "/bin/bash", "anna")
    machine.put_checkout("/home/anna/borg-hive")
    machine.must("chown", "-R", "anna:anna", "/home/anna")
    done = machine.run(
        "su", "--login", "anna", "--command", "cd ~/borg-hive && script/server --help"
    )
    assert done.returncode == 0
    assert "as root run: apt-get install borgbackup rsync" in done.stderr
    assert "--ssh HOST:PORT" in done.stdout
