"""Programs of the server that are missing or do not work: it says so, and recovers by itself."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.asking import (
    create,
    doctor,
    is_told,
    is_well,
    login,
    notifications,
    notify_administrator,
    script,
    until,
)
from tests.e2e.installation import QUICK, Installation
from tests.e2e.receiver import Receiver
from tests.programs import borg_command, rsync_command

NO_BORG = "borg does not work on the server, so no backup can be made"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Where the server expects its borg: a link to the real one."""
    path = tmp_path / "bin" / "borg"
    path.parent.mkdir(mode=0o755)
    path.symlink_to(borg_command("1.4"))
    return path


@pytest.fixture
def served(tmp_path: Path, program: Path, receiver: Receiver) -> Iterator[Installation]:
    """A running server with alice's repository `laptop`, and an administrator to notify."""
    made = Installation(tmp_path, {"HIVE_BORG__COMMAND": str(program)})
    try:
        begin(made, receiver)
        yield made
    finally:
        made.close()


def begin(made: Installation, receiver: Receiver) -> None:
    made.paces = QUICK
    made.start(expect_setup=True)
    made.client_environment()
    notify_administrator(made, receiver.url)
    made.hive_all(
        ["location", "set", "default", "--host", "127.0.0.1"],
        ["user", "add", "alice"],
        ["key", "add", "laptop", "--owner", "alice", made.directory / "id.pub"],
        ["repo", "add", "laptop", "--owner", "alice", "--key", "laptop"],
    )
    made.borg("init", "-e", "none", made.json("repo", "show", "laptop")["url"])
    login(made)


def failures(made: Installation) -> list[str]:
    """What is said of sessions that failed."""
    events = made.json("event", "list", "--repo", "laptop")
    return [one["message"] for one in events if one["kind"] == "session failed"]


def remove(path: Path) -> None:
    path.unlink()


def exit_with_three(path: Path) -> None:
    script(path, "exit 3")


def hang(path: Path) -> None:
    script(path, "exec sleep 3600")


def be_another_version(path: Path) -> None:
    script(path, 'echo "borg 2.0.0b19"')


def say_nothing(path: Path) -> None:
    script(path, "exit 0")


def lose_its_interpreter(path: Path) -> None:
    script(path, "true")
    path.write_text("#!/no/such/python\n")


@pytest.mark.long
@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (remove, "it is not installed"),
        (exit_with_three, "it ended with status 3 when it was started"),
        (hang, "it did not answer within 10 seconds"),
        (be_another_version, "it is version 2.0.0, and 1.1 to 1.4 is needed"),
        (say_nothing, "it does not say which version it is"),
        (lose_its_interpreter, "it cannot be started: No such file or directory"),
    ],
)
def test_a_borg_that_does_not_work_is_an_alarm_until_it_does(
    served: Installation,
    program: Path,
    harm: Callable[[Path], None],
    words: str,
) -> None:
    until(is_well(served))
    assert create(served, "one").returncode == 0
    harm(program)
    until(is_told(served, f"{NO_BORG}: {words}."))
    assert f"ERROR    Alarm: {NO_BORG}" in doctor(served)
    assert "borg does not work on the server" in notifications(served)
    refused = create(served, "two")
    assert refused.returncode != 0
    assert "no working borg on this server" in refused.stderr
    until(lambda: served.json("session", "list", "--limit", "1")[0]["ended_at"] is not None)
    until(lambda: any("no working borg" in message for message in failures(served)))
    program.unlink(missing_ok=True)
    program.symlink_to(borg_command("1.4"))
    until(is_well(served))
    assert "Over: borg does not work on the server" in notifications(served)
    assert create(served, "three").returncode == 0


@pytest.mark.long
def test_a_borg_that_crashes_only_when_it_serves_is_a_failed_session(
    served: Installation, program: Path
) -> None:
    script(program, f'[ "$1" = serve ] && exit 3\nexec {borg_command("1.4")} "$@"')
    failed = create(served, "one")
    assert failed.returncode != 0
    assert "could not start its program for this session" in failed.stderr
    until(lambda: bool(failures(served)))


@pytest.mark.long
def test_an_rsync_that_was_there_and_is_gone_is_an_alarm(
    tmp_path: Path, receiver: Receiver
) -> None:
    program = tmp_path / "bin" / "rsync"
    program.parent.mkdir()
    shutil.copy(rsync_command(), program)
    made = Installation(tmp_path, {"HIVE_RSYNC__COMMAND": str(program)})
    try:
        begin(made, receiver)
        until(is_well(made))
        program.unlink()
        until(is_told(made, "nothing can be imported or exported: it is not installed"))
        assert create(made, "one").returncode == 0
        shutil.copy(rsync_command(), program)
        until(is_well(made))
    finally:
        made.close()


class OwnPython(Installation):
    """An installation whose server runs with a Python that a test can take away."""

    @property
    def python(self) -> Path:
        return self.directory / "venv" / "bin" / "python"

    def _hive(self) -> list[str]:
        python = self.python if self.python.exists() else Path(sys.executable)
        return [str(python), "-m", "hive", "--data-dir", str(self.data)]


@pytest.mark.long
def test_a_launcher_that_does_not_start_is_an_alarm_until_it_does(
    tmp_path: Path, program: Path, receiver: Receiver
) -> None:
    made = OwnPython(tmp_path, {"HIVE_BORG__COMMAND": str(program)})
    real = Path(sys.executable).parent.parent
    made.python.parent.mkdir(parents=True)
    made.python.symlink_to(Path(sys.executable).resolve())
    shutil.copy(real / "pyvenv.cfg", tmp_path / "venv" / "pyvenv.cfg")
    (tmp_path / "venv" / "lib").symlink_to(real / "lib")
    try:
        begin(made, receiver)
        until(is_well(made))
        for harm in (remove, exit_with_three):
            harm(made.python)
            until(is_told(made, "The server cannot start programs for sessions"))
            failed = create(made, "one")
            assert failed.returncode != 0
            assert "cannot be started" in failed.stderr or "could not start" in failed.stderr
            made.python.unlink(missing_ok=True)
            made.python.symlink_to(Path(sys.executable).resolve())
            until(is_well(made))
            assert create(made, f"after-{harm.__name__}").returncode == 0
        assert "No program can be started on the server" in notifications(made)
        assert len(failures(made)) >= 2
    finally:
        made.close()
