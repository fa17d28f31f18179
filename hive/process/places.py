"""Which places of the file system a program gets: the system's, its own code, its repository."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hive.process.spec import ChildSpec

if TYPE_CHECKING:
    from hive.process.confine_mounts import Mounts

# What a program may use of the system it runs on: found by trial with borg 1.2 and 1.4 and
# rsync, which run without any of SYSTEM_READABLE, but then know neither names nor time zone.
# Neither /proc, /tmp nor the name servers are needed.
SYSTEM_EXECUTABLE = ("/usr", "/bin", "/lib", "/lib64")
SYSTEM_READABLE = (
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/ssl/openssl.cnf",
    "/dev/urandom",
)
SYSTEM_WRITABLE = ("/dev/null",)

MOST_LINKS = 40  # on the way to one place, as for the kernel


@functools.cache
def _present(paths: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(path for path in paths if Path(path).exists())


def rules(spec: ChildSpec) -> dict[str, list[str]]:
    """The places by what may be done there, as the launcher's Landlock has it."""
    repositories = [str(path) for path in spec.writable]
    return {
        "execute": [*_present(SYSTEM_EXECUTABLE), *map(str, spec.executable)],
        "read": [*_present(SYSTEM_READABLE), *map(str, spec.readable)],
        "write": [*_present(SYSTEM_WRITABLE), *(() if spec.symlinks else repositories)],
        "write_and_link": repositories if spec.symlinks else [],
        "remove_directory": [str(path) for path in spec.removable],
    }


def mounts(rules: Mapping[str, Sequence[str]], spec: ChildSpec) -> Mounts:
    """The same places as a file system of the program's own.

    A mount cannot be removed, so that the directory around one that may be is mounted whole.
    """
    links: dict[str, str] = {}
    read_only = []
    for path in (*rules["execute"], *rules["read"], spec.argv[0]):
        links.update(_links_on_the_way(path))
        read_only.append(os.path.realpath(path))
    kinds = ("write", "write_and_link", "remove_directory")
    writable = [path for kind in kinds for path in rules.get(kind, ())]
    return {
        "read_only": read_only,
        "writable": writable,
        "links": links,
        "directory": str(spec.cwd),
    }


def _links_on_the_way(path: str) -> dict[str, str]:
    """Every symbolic link that leads from `path` to what it stands for, with its target."""
    found: dict[str, str] = {}
    rest = path.split("/")[1:]
    here = ""
    while rest and len(found) < MOST_LINKS:
        name = rest.pop(0)
        if name in {"", "."}:
            continue
        if name == "..":
            here = here.rpartition("/")[0]
            continue
        step = f"{here}/{name}"
        if not os.path.islink(step):  # noqa: PTH114 - text is what it works on
            here = step
            continue
        target = os.readlink(step)  # noqa: PTH115
        found[step] = target
        rest = target.split("/") + rest
        here = "" if target.startswith("/") else here
    return found
