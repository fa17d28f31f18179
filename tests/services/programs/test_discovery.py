from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hive.errors import Unavailable
from hive.services.programs.discovery import program_roots
from tests.programs import borg_commands

HOMES = {Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()}


def script(place: Path, start: str) -> str:
    path = place / "program"
    path.write_text(start)
    path.chmod(0o700)
    return str(path)


def covers(roots: tuple[Path, ...], path: Path) -> bool:
    return any(path == root or root in path.parents for root in roots)


@pytest.mark.parametrize(
    "start",
    [
        f"#!{sys.executable}\nimport borg",
        f"#! {sys.executable} -I\n",
        f"#!/bin/sh\n'''exec' {sys.executable} \"$0\" \"$@\"\n' '''\n",
        f"#!/bin/sh\n'''exec' \"{sys.executable}\" \"$0\" \"$@\"\n' '''\n",
    ],
)
def test_a_python_script_needs_itself_and_where_its_interpreter_lives(
    tmp_path: Path, start: str
) -> None:
    command = script(tmp_path, start)
    roots = program_roots(command)
    assert all(covers(roots, home) for home in HOMES)
    assert covers(roots, Path(command))
    assert not covers(roots, tmp_path / "neighbour")


def test_an_interpreter_may_be_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    roots = program_roots(script(tmp_path, "#!/usr/bin/env -S A=1 python3 -I\n"))
    assert all(covers(roots, home) for home in HOMES)
    with pytest.raises(Unavailable, match="no-such-thing"):
        program_roots(script(tmp_path, "#!/usr/bin/env no-such-thing\n"))


def test_a_binary_needs_itself_and_through_a_link_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/bin/true")
    assert program_roots(str(tmp_path / "link")) == (Path("/bin/true").resolve(),)


def test_a_program_packed_as_a_directory_needs_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "_internal").mkdir()
    assert program_roots(script(tmp_path, "\x7fELF")) == (tmp_path,)


def test_a_program_that_is_missing_or_asks_for_nonsense_is_not_available(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such file"):
        program_roots(str(tmp_path / "missing"))
    with pytest.raises(Unavailable, match="modules"):
        program_roots(script(tmp_path, "#!/nowhere/python3\n"))


@pytest.mark.parametrize("command", borg_commands().values(), ids=borg_commands().keys())
def test_every_borg_here_is_understood(command: str) -> None:
    assert program_roots(command)
