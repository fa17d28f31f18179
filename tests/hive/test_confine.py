from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hive import confine
from hive.confine import FAILED, PREFIX, landlock_abi

needs_landlock = pytest.mark.skipif(landlock_abi() == 0, reason="the kernel has no Landlock")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")


def launch(*argv: str, text: str | None = None, **changes: Any) -> subprocess.CompletedProcess[str]:
    specification = {
        "parent": os.getpid(),
        "environment": {},
        "umask": 0o077,
        "limits": {},
        "nice": 0,
        "io_priority": None,
        "user": None,
        "landlock": False,
        "rules": {},
        **changes,
    }
    command = [sys.executable, "-I", "-S", confine.__file__, text or json.dumps(specification)]
    return subprocess.run(
        [*command, *argv], check=False, capture_output=True, text=True, env={}, timeout=20
    )


def test_without_anything_asked_the_program_just_runs() -> None:
    done = launch("--", "/bin/echo", "--", "two  words", "")
    assert (done.returncode, done.stdout, done.stderr) == (0, "-- two  words \n", "")


@pytest.mark.parametrize(
    "changes",
    [
        {"parent": 1 << 22},
        {"limits": {"unheard_of": 1}},
        {"io_priority": ["best-effort", 9]},
        {"io_priority": ["realtime", 0]},
        {"user": [0, 0]},
        {"user": ["nobody", 65534]},
        {"umask": "022"},
        {"environment": None},
        {"environment": {"A": 1}},
        {"landlock": True, "rules": {"everything": ["/"]}},
        {"landlock": True, "rules": {"write": ["/nowhere"]}},
        {"landlock": True, "rules": {"remove_directory": ["/dev/null"]}},
        {"text": "not JSON"},
        {"text": "[]"},
        {"text": "{}"},
    ],
    ids=str,
)
def test_what_cannot_be_applied_ends_in_one_line_and_never_in_the_program(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    done = launch("--", "/usr/bin/touch", str(tmp_path / "ran"), **changes)
    assert done.returncode == FAILED
    assert done.stderr.startswith(PREFIX)
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "argv", [(), ("--",), ("/bin/true",), ("-", "/bin/true"), ("--", "/nowhere"), ("--", "")]
)
def test_a_command_that_cannot_run_is_told_the_same_way(argv: tuple[str, ...]) -> None:
    done = launch(*argv)
    assert (done.returncode, done.stderr.startswith(PREFIX)) == (FAILED, True)


def test_a_kernel_without_landlock_never_runs_what_should_be_confined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(confine, "landlock_abi", lambda: 0)
    with pytest.raises(ValueError, match="no Landlock"):
        confine.prepare_landlock({})


@pytest.mark.parametrize(("abi", "rights"), [(1, 13), (2, 14), (3, 15), (4, 15), (5, 16), (9, 17)])
def test_each_version_holds_back_all_that_it_knows(abi: int, rights: int) -> None:
    assert confine._handled(abi) == (1 << rights) - 1


@needs_landlock
def test_a_link_is_not_followed_to_a_place_to_write(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    done = launch("--", "/bin/true", landlock=True, rules={"write": [str(tmp_path / "link")]})
    assert (done.returncode, "symbolic link" in done.stderr) == (FAILED, True)


@needs_landlock
def test_only_empty_directories_can_be_removed_where_only_that_is_allowed(tmp_path: Path) -> None:
    for name in ("empty", "full"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "file").touch()
    rules = {"execute": ["/usr", "/bin", "/lib", "/lib64"], "remove_directory": [str(tmp_path)]}
    rules["execute"] = [path for path in rules["execute"] if Path(path).exists()]
    targets = [str(tmp_path / name) for name in ("empty", "full")]
    launch("--", "/bin/rm", "-rf", *targets, landlock=True, rules=rules)
    done = launch("--", "/bin/mv", targets[1], targets[0], landlock=True, rules=rules)
    assert done.returncode == 1
    launch("--", "/bin/rmdir", targets[0], landlock=True, rules=rules)
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "file"]


@needs_root
def test_the_user_changes_for_good() -> None:
    done = launch("--", "/usr/bin/id", user=[65534, 65534])
    assert done.stdout.startswith("uid=65534")
    assert "groups=65534" in done.stdout
    assert "root" not in done.stdout


def test_it_needs_nothing_but_the_quick_parts_of_the_standard_library() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(confine.__file__).parent)!r}); import confine;"
        "print([m for m in ('typing', 'dataclasses', 'inspect', 'subprocess', 'hive')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"
