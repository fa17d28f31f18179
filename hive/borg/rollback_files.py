"""Moving what is newer than a transaction out of a borg 1 repository, and back. Blocking.

Each move is one rename, in an order in which the repository is sound at every moment: out go the
index and what belongs to it, which borg makes again, then the newest segment first. What was moved
already is left alone, so that an interrupted move can be completed by doing it again.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from hive.borg.segments import Log
from hive.sentences import say

# Not the nonce: to count again from a lower number would encrypt twice with the same key stream.
_ABOUT_A_TRANSACTION = ("index.", "hints.", "integrity.")


class AlreadyThere(Exception):
    """Something lies where a file is to go; the message says where."""


def newer(repository: Path, transaction: int) -> list[Path]:
    """What is to go, relative to the repository, in its order."""
    beside = sorted(
        entry.name
        for entry in os.scandir(repository)
        if entry.name.startswith(_ABOUT_A_TRANSACTION) and not entry.is_dir(follow_symlinks=False)
    )
    with Log(repository) as log:
        segments = [
            Path("data", str(one.number // log.per_directory), str(one.number))
            for one in reversed(log.segments)
            if one.number > transaction
        ]
    return [*map(Path, beside), *segments]


def are_on_one_disk(repository: Path, trash: Path) -> bool:
    """Whether a rename can move from one to the other."""
    device = trash.stat().st_dev
    directories = [repository, repository / "data"]
    directories += [path for path in (repository / "data").iterdir() if path.name.isdigit()]
    return all(path.lstat().st_dev == device for path in directories)


def move_out(repository: Path, transaction: int, target: Path) -> int:
    """Move everything newer than the transaction below `target`; returns how many files."""
    target.mkdir(mode=0o700, exist_ok=True)
    files = newer(repository, transaction)
    for file in files:
        _move(repository / file, target / file)
    for directory in sorted((repository / "data").iterdir(), reverse=True):
        with suppress(OSError):  # it is not empty
            directory.rmdir()
    _flush(repository, target)
    return len(files)


def move_back(source: Path, repository: Path) -> None:
    """The way back: the oldest segment first, the index last."""
    segments = [path for path in source.glob("data/*/*") if path.name.isdigit()]
    segments.sort(key=lambda path: int(path.name))
    kinds = {kind: place for place, kind in enumerate(reversed(_ABOUT_A_TRANSACTION))}
    beside = [path for path in source.iterdir() if path.name.startswith(_ABOUT_A_TRANSACTION)]
    beside.sort(key=lambda path: kinds[f"{path.name.partition('.')[0]}."])
    for path in (*segments, *beside):
        _move(path, repository / path.relative_to(source))
    _flush(repository, source)


def holds_only_until(repository: Path, transaction: int) -> bool:
    """Whether nothing was written behind the transaction."""
    with Log(repository) as log:
        return all(one.number <= transaction for one in log.segments)


def clear_index(repository: Path) -> None:
    """Drop what borg has made of the segments: it makes it again."""
    for path in list(repository.iterdir()):
        if path.name.startswith(_ABOUT_A_TRANSACTION) and not path.is_dir():
            path.unlink(missing_ok=True)


def _move(path: Path, target: Path) -> None:
    if os.path.lexists(target):
        raise AlreadyThere(say("%(path)s exists already", path=target))
    parent = target.parent
    if not parent.is_dir():
        parent.mkdir(mode=0o700, parents=True)
        if os.geteuid() == 0:  # borg must be able to write there
            owner = path.lstat()
            os.chown(parent, owner.st_uid, owner.st_gid, follow_symlinks=False)
    path.rename(target)


def _flush(*directories: Path) -> None:
    """Have the renames on disk before anybody relies on them."""
    for top in directories:
        for path in (top, *top.glob("data"), *top.glob("data/*")):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
