"""The directories of a repository, made and given to the account that children run as."""

from __future__ import annotations

import shutil

from hive.process import ownership
from hive.process.spec import RunAs
from hive.services.installation import presence
from hive.services.storage import paths, scratch
from hive.services.storage.paths import Place

_FORMER_SCRATCH = ".state"  # where versions before 0.2 kept what belongs to a session


def prepare(where: Place, run_as: RunAs | None, *, staging: bool) -> None:
    """Make the directories that a session needs and give them to the user children run as.

    Blocking: call in a thread. A tree that belongs to somebody else (an older set-up, an
    administrator's copy) is given to that user as a whole. On a full disk, there is room
    afterwards for the blocks that a lock takes. A `scratch.leave` follows in the end.
    """
    presence.require(where.root)
    wanted = [where.home, where.repository]
    if staging:
        wanted.append(where.staging)
    with paths.problems_of(where.root):
        paths.ballast(where.root).relieve()
        for directory in wanted:
            directory.mkdir(mode=0o700, exist_ok=True)
            paths.require_below(where.root, directory)  # what is there already can be a link
    if run_as is not None and not is_handed_over(where, run_as):
        hand_over(where, run_as)
    _remove_former_scratch(where)
    scratch.enter(where, run_as)


def is_handed_over(where: Place, run_as: RunAs) -> bool:
    """Whether a repository belongs to the user children run as, or is not there. Blocking."""
    directories = (where.home, where.repository, where.staging)
    return ownership.is_given(directories, run_as)


def hand_over(where: Place, run_as: RunAs) -> int:
    """Give a repository to the user children run as; how many things were not theirs.

    Blocking, and long for a large one: call in a thread.
    """
    presence.require(where.root)
    paths.require_below(where.root, where.home)
    names = [path.name for path in (where.repository, where.staging)]
    return ownership.give(where.home, names, run_as)


def _remove_former_scratch(where: Place) -> None:
    former = where.home / _FORMER_SCRATCH
    if former.is_dir() and not former.is_symlink():
        shutil.rmtree(former, ignore_errors=True)
