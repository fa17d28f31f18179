"""Telling whether a directory that came from outside is a whole and harmless borg repository.

A tree that a stranger wrote is hostile until it passes here: links would lead borg out of it,
devices and oversized values would hurt it.
"""

from __future__ import annotations

import configparser
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hive.errors import HiveError

_FILES = re.compile(
    r"README|config|nonce|transactions|(?:index|hints|integrity)\.\d{1,20}", re.ASCII
)
_BORG2_DIRECTORIES = {"archives", "cache", "config", "index", "keys", "locks", "packs", "data"}
_LOCKS = ("lock.exclusive", "lock.roster")
_NUMBER = re.compile(r"\d{1,20}", re.ASCII)
_MAX_CONFIG = 64 * 1024
_MAX_PROBLEMS = 5


class NotARepository(HiveError):
    """The tree is no repository that may be put in place; the message names what is wrong."""


@dataclass(frozen=True)
class RepositoryFacts:
    version: int
    id: str
    size_bytes: int
    files: int


def verify(path: Path) -> RepositoryFacts:
    """Check the tree at `path`; NotARepository says why not. Blocking: call in a thread."""
    problems: list[str] = []
    size = files = 0
    for relative, status in _walk(path):
        problem = _problem(relative, status)
        if problem is not None:
            problems.append(problem)
            if len(problems) >= _MAX_PROBLEMS:
                break
        if stat.S_ISREG(status.st_mode):
            size, files = size + status.st_size, files + 1
    if problems:
        raise NotARepository("; ".join(problems))
    version, repository_id = _identify(path)
    return RepositoryFacts(version, repository_id, size, files)


def _walk(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for directory, names, files in os.walk(path, onerror=_refuse, followlinks=False):
        for name in (*names, *files):
            full = Path(directory, name)
            yield full.relative_to(path), full.lstat()


def _refuse(error: OSError) -> None:
    # what cannot be looked into is not skipped silently
    raise NotARepository(f"{ascii(error.filename)[:120]} cannot be read") from error


def _problem(relative: Path, status: os.stat_result) -> str | None:
    shown = ascii(str(relative))[:120]
    if stat.S_ISLNK(status.st_mode):
        return f"{shown} is a symbolic link"
    if stat.S_ISDIR(status.st_mode):
        return None if _known_directory(relative) else _unknown(relative, shown)
    if not stat.S_ISREG(status.st_mode):
        return f"{shown} is neither a file nor a directory"
    if status.st_nlink > 1:
        return f"{shown} is hard-linked to another file"
    if status.st_mode & (stat.S_ISUID | stat.S_ISGID):
        return f"{shown} has the set-user-ID bit"
    return None if _known_file(relative) else _unknown(relative, shown)


def _known_directory(relative: Path) -> bool:
    parts = relative.parts
    if len(parts) == 1:
        return parts[0] in _BORG2_DIRECTORIES
    if parts[0] == "data" and len(parts) == 2:
        return True
    return parts[0] in _BORG2_DIRECTORIES and len(parts) <= 4


def _known_file(relative: Path) -> bool:
    parts = relative.parts
    if len(parts) == 1:
        return _FILES.fullmatch(parts[0]) is not None
    if parts[0] == "data" and len(parts) == 3 and _NUMBER.fullmatch(parts[1]):
        return _NUMBER.fullmatch(parts[2]) is not None
    return parts[0] in _BORG2_DIRECTORIES and not parts[-1].startswith(".")


def _unknown(relative: Path, shown: str) -> str:
    if relative.parts[0] in _LOCKS:
        return (
            f"{shown} is a lock: the repository was in use when it was copied. Stop what uses it"
            " (or run borg break-lock on the source) and run rsync again with --delete"
        )
    return f"{shown} does not belong to a borg repository"


def _identify(path: Path) -> tuple[int, str]:
    config = path / "config"
    if config.is_dir():
        return _identify_borg2(config)
    if not config.is_file():
        raise NotARepository(
            "there is no config file: this is no borg repository, or not the whole of it (give"
            " rsync the directory with a slash at its end: SOURCE/)"
        )
    if config.stat().st_size > _MAX_CONFIG:
        raise NotARepository("its config file is too large")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(config.read_text(encoding="utf-8"))
        section = parser["repository"]
        version = int(section["version"])
        repository_id = section["id"].strip()
        for name in ("segments_per_dir", "max_segment_size"):
            if not 1 <= int(section[name]) < 2**32:
                raise ValueError(name)
        for name in ("append_only", "storage_quota", "additional_free_space"):
            if name in section and not re.fullmatch(r"\d{1,20}[KMGTP]?", section[name].strip()):
                raise ValueError(name)
    except (KeyError, ValueError, configparser.Error):
        raise NotARepository("its config file is not borg's") from None
    if version != 1 or not re.fullmatch(r"[0-9a-f]{64}", repository_id):
        raise NotARepository(f"its config file names version {version}, which is not known")
    if not (path / "data").is_dir():
        raise NotARepository("the directory data is missing: it is not the whole repository")
    return version, repository_id


def _identify_borg2(config: Path) -> tuple[int, str]:
    try:
        version = int((config / "version").read_text(encoding="ascii")[:20])
        repository_id = (config / "id").read_text(encoding="ascii")[:100].strip()
    except (OSError, ValueError):
        raise NotARepository("its config directory is not borg's") from None
    if not re.fullmatch(r"[0-9a-f]{64}", repository_id):
        raise NotARepository("its config directory is not borg's")
    return version, repository_id
