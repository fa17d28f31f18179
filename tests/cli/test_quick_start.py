"""Commands import what they need: everything else makes each of them slower."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from hive.cli.later import WHEN_USED, Later, begin_imports, end_imports, import_all
from hive.cli.main import main as cli
from tests import schema

# What takes long to import, and packages of ours that bring such things.
_SERVER = ("asyncssh", "aiohttp", "aiohttp_jinja2", "jinja2", "babel", "fido2", "segno", "msgpack")
_LIBRARIES = ("apprise", "aiosmtplib", "argon2", "cryptography", "pyotp", "structlog", "rich")
_OURS = ("hive.app", "hive.control_server", "hive.notify", "hive.outgoing", "sshgate", "web")
_DATABASE = ("tortoise", "aiosqlite", "pydantic", "hive.models", "hive.services", "asyncio")
_LOADED = (
    "import sys, hive.__main__ as it\ntry: it.main()\nfinally: print(*sys.modules, file=sys.stderr)"
)


def _loaded(data: Path, *words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, *words],
        env={"PATH": os.environ["PATH"], "HOME": str(data), "HIVE_DATA_DIR": str(data)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


def _found(loaded: set[str], names: tuple[str, ...]) -> list[str]:
    return [name for name in names if name in loaded]


def test_help_imports_neither_the_server_nor_the_database(tmp_path: Path) -> None:
    loaded = _loaded(tmp_path, "--help")
    assert "hive.cli.main" in loaded
    assert _found(loaded, (*_SERVER, *_LIBRARIES, *_OURS, *_DATABASE)) == []


@pytest.mark.parametrize("words", [("repo", "list"), ("user", "list"), ("key", "list")])
def test_a_list_imports_nothing_of_the_server(tmp_path: Path, words: tuple[str, ...]) -> None:
    schema.put_database(tmp_path / "hive.sqlite3")
    loaded = _loaded(tmp_path, *words)
    assert "hive.models" in loaded
    assert _found(loaded, (*_SERVER, *_OURS)) == []


def test_listing_repositories_imports_no_tool_that_it_does_not_use(tmp_path: Path) -> None:
    schema.put_database(tmp_path / "hive.sqlite3")
    loaded = _loaded(tmp_path, "repo", "list")
    assert _found(loaded, (*_LIBRARIES, "hive.migrate", "tortoise.migrations")) == []


def _later(group: click.Group, path: str) -> Iterator[tuple[str, Later]]:
    for name, command in group.commands.items():
        if isinstance(command, Later):
            yield f"{path} {name}", command
            loaded = command.load()
            if isinstance(loaded, click.Group):
                yield from _later(loaded, f"{path} {name}")


_LATER = dict(_later(cli, "hive"))


def test_there_are_commands_to_import_later() -> None:
    assert {"hive repo", "hive repo list", "hive status"} <= set(_LATER)


@pytest.mark.parametrize("path", _LATER)
def test_what_lists_say_of_a_command_is_its_own_help(path: str) -> None:
    command = _LATER[path]
    loaded = command.load()
    assert command.name == loaded.name == path.rsplit(maxsplit=1)[-1]
    for width in (45, 80, 200):
        assert command.get_short_help_str(width) == loaded.get_short_help_str(width)


def test_a_command_that_there_is_not_is_wrong_usage(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hive", "--data-dir", tmp_path, "repo", "lsit"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "No such command 'lsit'. Did you mean 'list'?" in done.stderr


_NOT_USED = (
    "import sys, hive.__main__ as it\ntry: it.main()\n"
    "finally: print(*(one for one in sys.modules if 'LazyModule' in repr(type(sys.modules[one]))),"
    " file=sys.stderr)"
)


def test_what_a_list_names_and_does_not_use_is_not_loaded(tmp_path: Path) -> None:
    schema.put_database(tmp_path / "hive.sqlite3")
    done = subprocess.run(
        [sys.executable, "-c", _NOT_USED, "repo", "list"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "HIVE_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "hive.services.outbox.outbox" in done.stderr.split()
    assert set(done.stderr.split()) <= WHEN_USED


@pytest.mark.parametrize("name", sorted(WHEN_USED))
def test_what_is_loaded_when_it_is_used_exists(name: str) -> None:
    assert importlib.util.find_spec(name) is not None


def test_a_server_loads_everything_at_once() -> None:
    before = sys.meta_path[:]
    try:
        begin_imports()
        assert sys.meta_path != before
        import_all()
        assert sys.meta_path == before
    finally:
        sys.meta_path[:] = before
        end_imports()


_PATTERNS = (
    "import sys, hive.__main__ as it\ntry: it.main()\n"
    "finally: print(type(sys.modules['tortoise.validators'].validate_domain_name.regex).__module__,"
    " file=sys.stderr)"
)


@pytest.mark.parametrize("words", [("repo", "list"), ("user", "list"), ("status",)])
def test_the_orm_is_always_imported_in_the_way_that_is_quick(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    schema.put_database(tmp_path / "hive.sqlite3")
    done = subprocess.run(
        [sys.executable, "-c", _PATTERNS, *words],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "HIVE_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.split()[-1] == "hive.quick_orm"
