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

from hive.borg import manifest
from hive.borg.hints import HintsError, read_hints
from hive.borg.repository import index_transaction, parse_config
from hive.errors import HiveError
from hive.meter import Meter, Unit
from hive.sentences import say

_FILES = re.compile(
    r"README|config|nonce|transactions|(?:index|hints|integrity)\.\d{1,20}", re.ASCII
)
_DERIVED = re.compile(r"(?:index|hints|integrity)\.\d{1,20}", re.ASCII)
_BORG2_DIRECTORIES = {"archives", "cache", "config", "index", "keys", "locks", "packs", "data"}
_BORG2_DEEPEST = 4
_LOCKS = ("lock.exclusive", "lock.roster")
_NUMBER = re.compile(r"\d{1,20}", re.ASCII)
_LIMIT = re.compile(r"\d{1,20}[KMGTP]?")
_ID = re.compile(r"[0-9a-f]{64}")
_MAX_CONFIG = 64 * 1024
_MAX_PROBLEMS = 5
_COMMIT = bytes.fromhex("40f4 3c25 0900 0000 02")  # how a segment of borg 1 ends that was committed


class NotARepository(HiveError):
    """The tree is no repository that may be put in place; the message names what is wrong."""


@dataclass(frozen=True, kw_only=True)
class Verified:
    version: int
    id: str
    size_bytes: int
    files: int
    folder: str | None = None  # that it came in


def verify(staging: Path, meter: Meter | None = None) -> Verified:
    """Check the tree at `staging`; NotARepository says why not. Blocking: call in a thread.

    `meter` counts the files that were looked at, then the segments.

    A single directory that holds the repository is looked into: it was sent without a slash at
    the end of its name.
    """
    folder = _single_folder(staging)
    path = staging if folder is None else staging / folder
    meter = meter or Meter()
    meter.begin(Unit.FILES)
    borg2 = _is_directory(path / "config")
    problems: list[str] = []
    size = files = segments = 0
    for relative, status in _walk(path, borg2=borg2):
        problem = _problem(path, relative, status, borg2=borg2)
        if problem is not None:
            problems.append(problem)
            if len(problems) >= _MAX_PROBLEMS:
                break
        if stat.S_ISREG(status.st_mode):
            size, files = size + status.st_size, files + 1
            segments += relative.parts[0] == "data"
            meter.advance()
    if problems:
        raise NotARepository("; ".join(problems))
    version, repository_id = _identify(path)
    if version == 1:
        _check_segments(path, segments, meter)
    if not (manifest.is_there(path) if version == 1 else (path / "config/manifest").is_file()):
        raise NotARepository(
            say(
                "it has no manifest, which is borg's list of the archives: creating it was cut "
                "off, or this is not the whole repository"
            )
        )
    return Verified(version=version, id=repository_id, size_bytes=size, files=files, folder=folder)


def _single_folder(staging: Path) -> str | None:
    """The one directory in `staging`, where it holds a config and nothing lies beside it."""
    with os.scandir(staging) as entries:
        first, second = next(entries, None), next(entries, None)
    if first is None or second is not None or not first.is_dir(follow_symlinks=False):
        return None
    return first.name if os.path.lexists(staging / first.name / "config") else None


def drop_derived(path: Path) -> None:
    """Remove what borg rebuilds from the segments: nobody knows who wrote it. Blocking."""
    with os.scandir(path) as entries:
        derived = [entry.path for entry in entries if _DERIVED.fullmatch(entry.name)]
    for name in derived:
        Path(name).unlink()


def _is_directory(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def _walk(path: Path, *, borg2: bool) -> Iterator[tuple[Path, os.stat_result]]:
    """All that is below `path`, without entering directories that do not belong there.

    One entry at a time: a hostile tree has millions in one directory, or goes on without end.
    """
    waiting = [Path()]
    while waiting:
        inside = waiting.pop()
        try:
            with os.scandir(path / inside) as entries:
                for entry in entries:
                    relative, status = inside / entry.name, entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode) and _known_directory(relative, borg2=borg2):
                        waiting.append(relative)
                    yield relative, status
        except OSError as error:
            # what cannot be looked into is not skipped silently
            raise NotARepository(say("%(path)s cannot be read", path=_shown(inside))) from error


def _shown(relative: Path) -> str:
    return ascii(str(relative))[:120]


def _problem(path: Path, relative: Path, status: os.stat_result, *, borg2: bool) -> str | None:
    shown = _shown(relative)
    if stat.S_ISLNK(status.st_mode):
        return say("%(path)s is a symbolic link", path=shown)
    if stat.S_ISDIR(status.st_mode):
        known = _known_directory(relative, borg2=borg2)
        return None if known else _unknown_directory(path, relative, shown)
    if not stat.S_ISREG(status.st_mode):
        return say("%(path)s is neither a file nor a directory", path=shown)
    if status.st_nlink > 1:
        return say("%(path)s is hard-linked to another file", path=shown)
    if status.st_mode & (stat.S_ISUID | stat.S_ISGID):
        return say("%(path)s has the set-user-ID bit", path=shown)
    return None if _known_file(relative, borg2=borg2) else _unknown(relative, shown)


def _known_directory(relative: Path, *, borg2: bool) -> bool:
    parts = relative.parts
    if borg2:
        return parts[0] in _BORG2_DIRECTORIES and len(parts) <= _BORG2_DEEPEST
    if parts[0] != "data" or len(parts) > 2:
        return False
    return len(parts) == 1 or _NUMBER.fullmatch(parts[1]) is not None


def _known_file(relative: Path, *, borg2: bool) -> bool:
    parts = relative.parts
    if borg2:
        return parts == ("README",) or (len(parts) > 1 and not parts[-1].startswith("."))
    if len(parts) == 1:
        return _FILES.fullmatch(parts[0]) is not None
    return len(parts) == 3 and _NUMBER.fullmatch(parts[2]) is not None


def _unknown_directory(path: Path, relative: Path, shown: str) -> str:
    if len(relative.parts) > 1 or not os.path.lexists(path / relative / "config"):
        return _unknown(relative, shown)
    return say(
        "%(path)s holds a repository, and something else lies beside it: give "
        "rsync the folder with a slash at its end (SOURCE/) and --delete",
        path=shown,
    )


def _unknown(relative: Path, shown: str) -> str:
    if relative.parts[0] in _LOCKS:
        return say(
            "%(path)s is a lock: the repository was in use when it was copied. Stop "
            "what uses it (or run borg break-lock on the source) and run rsync again "
            "with --delete",
            path=shown,
        )
    return say("%(path)s does not belong to a borg repository", path=shown)


def _check_segments(path: Path, segments: int, meter: Meter) -> None:
    """Compare the segments with the newest index, as far as that is possible.

    A part of a repository looks like a whole one, and so do two that were mixed by importing one
    over the rest of another; borg would find out in the middle of a restore.
    """
    last = index_transaction(path)
    if last < 0:
        return  # borg rebuilds the index from what is there
    try:
        expected = read_hints(path / f"hints.{last}").segments
    except FileNotFoundError:
        expected = frozenset()
    except (OSError, HintsError):
        raise NotARepository(say("its file hints.%(last)s is not borg's", last=last)) from None
    missing, is_clean = set(expected), True
    meter.begin(Unit.SEGMENTS, segments)
    for segment in _segments(path / "data"):
        meter.advance()
        number = int(segment.name)
        missing.discard(number)
        if number > last:
            is_clean = False
            _check_newer(segment, number, last)
    if missing and is_clean:  # compacting that was cut off leaves newer ones, and borg can mend it
        raise NotARepository(
            say(
                "%(missing)s of the %(expected)s segments that hold data are missing, "
                "for example number %(number)s: it is not the whole repository",
                missing=len(missing),
                expected=len(expected),
                number=min(missing),
            )
        )


def _segments(data: Path) -> Iterator[Path]:
    with os.scandir(data) as directories:
        for directory in directories:
            with os.scandir(directory) as segments:
                for segment in segments:
                    yield Path(segment.path)


def _check_newer(segment: Path, number: int, last: int) -> None:
    """A segment of a backup that was cut off may be there; borg takes it away."""
    if _is_committed(segment):
        raise NotARepository(
            say(
                "segment %(number)s is newer than the index (%(last)s): the source was "
                "in use or cut off (run borg check on it), or this is left of another "
                "import. Run rsync again with --delete",
                number=number,
                last=last,
            )
        )


def _is_committed(segment: Path) -> bool:
    with segment.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - len(_COMMIT)))
        return file.read() == _COMMIT


def _identify(path: Path) -> tuple[int, str]:
    config = path / "config"
    if _is_directory(config):
        return _identify_borg2(config)
    if not config.is_file():
        raise NotARepository(
            say(
                "there is no config file: this is not a borg repository, or not all of it (give "
                "rsync the directory with a slash at its end: SOURCE/)"
            )
        )
    if config.stat().st_size > _MAX_CONFIG:
        raise NotARepository(say("its config file is too large"))
    try:
        section = parse_config(config.read_text(encoding="utf-8"))
        version = int(section["version"])
        repository_id = section["id"].strip()
        for name in ("segments_per_dir", "max_segment_size"):
            if not 1 <= int(section[name]) < 2**32:
                raise ValueError(name)
        for name in ("append_only", "storage_quota", "additional_free_space"):
            if name in section and not _LIMIT.fullmatch(section[name].strip()):
                raise ValueError(name)
    except (KeyError, ValueError, configparser.Error):
        raise NotARepository(say("its config file is not borg's")) from None
    if version != 1 or not _ID.fullmatch(repository_id):
        raise NotARepository(
            say("its config file names version %(version)s, which is not known", version=version)
        )
    if not (path / "data").is_dir():
        raise NotARepository(say("the directory data is missing: it is not the whole repository"))
    return version, repository_id


def _identify_borg2(config: Path) -> tuple[int, str]:
    try:
        version = int((config / "version").read_text(encoding="ascii")[:20])
        repository_id = (config / "id").read_text(encoding="ascii")[:100].strip()
    except (OSError, ValueError):
        raise NotARepository(say("its config directory is not borg's")) from None
    if not _ID.fullmatch(repository_id):
        raise NotARepository(say("its config directory is not borg's"))
    return version, repository_id
