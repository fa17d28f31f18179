"""Where repositories, imports and deleted things lie on disk; every path is checked here.

<storage root>/<login>/<directory>/    the repository
<storage root>/<login>/.import/        an import that is not in place yet
<storage root>/<login>/.moving/        what comes from another location, and is not switched yet
<storage root>/.trash/<entry>/         what was deleted or replaced
<storage root>/.ballast                room that is given up when the disk is full

What children keep for the time of a session lies elsewhere: hive/services/storage/scratch.py.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from hive.ballast import Ballast
from hive.errors import StorageError
from hive.models import Location
from hive.process.spec import RunAs
from hive.sentences import N_
from hive.services import names, runtime
from hive.services.installation import presence

IMPORT_DIRECTORY = ".import"
TRASH_DIRECTORY = ".trash"
BALLAST = ".ballast"
VIEW_DIRECTORY = ".view"
_DISCARDED = ".discarded-"
_FOLDER = ".folder"
_BLOCK = 4096


@dataclass(frozen=True)
class Place:
    """The directories of one repository."""

    root: Path
    login: str
    directory: str

    @property
    def home(self) -> Path:
        """The login's own directory; children may not write to it."""
        return self.root / self.login

    @property
    def repository(self) -> Path:
        return self.home / self.directory

    @property
    def staging(self) -> Path:
        return self.home / IMPORT_DIRECTORY

    @property
    def view(self) -> Path:
        """The repository once more, under the folder that its last import came in."""
        return self.home / VIEW_DIRECTORY

    @property
    def trash(self) -> Path:
        return self.root / TRASH_DIRECTORY

    @property
    def is_created(self) -> bool:
        """Whether a repository is on disk, not just its empty directory."""
        return (self.repository / "config").exists()  # a file; a directory in borg 2

    @property
    def is_borg2(self) -> bool:
        return (self.repository / "config").is_dir()


def root_of(location: Location) -> Path:
    return Path(location.root) if location.root else runtime.paths().repositories


def ballast(root: Path) -> Ballast:
    """What is given up where the disk of this storage root is full."""
    return Ballast(root / BALLAST)


def place(location: Location, login: str, directory: str) -> Place:
    """The place of a repository; StorageError where it would lie anywhere but under its root."""
    if not names.LOGIN.fullmatch(login) or not names.REPOSITORY.fullmatch(directory):
        raise StorageError(
            "%(login)r/%(directory)r is not a valid place for a repository.",
            login=login,
            directory=directory,
        )
    found = Place(root_of(location), login, directory)
    require_below(found.root, found.repository)
    return found


@contextmanager
def problems_of(
    root: Path, message: str = N_("The storage root %(root)s cannot be used: %(strerror)s.")
) -> Iterator[None]:
    """Raise StorageError where the storage root does not answer, or refuses: `message` then."""
    try:
        yield
    except TimeoutError:
        raise StorageError("The storage root %(root)s does not answer.", root=root) from None
    except OSError as error:
        raise StorageError(message, root=root, strerror=error.strerror) from error


def require_below(root: Path, path: Path) -> None:
    """Raise StorageError unless `path`, links resolved, lies strictly under `root`."""
    real_root = root.resolve()
    if real_root not in path.resolve().parents:
        raise StorageError(
            "%(path)s does not lie under its storage root %(root)s.", path=path, root=root
        )


def kept_for() -> timedelta:
    """How long something stays in the trash."""
    return timedelta(days=runtime.settings().storage.trash_days)


def take_out_of_folder(where: Place, folder: str | None) -> None:
    """Move what is staged in a folder to where it is without one. Blocking.

    A crash in the middle leaves something that is no repository, and the next call goes on.
    """
    inner = where.staging / _FOLDER
    if folder is not None:
        (where.staging / folder).rename(inner)
    if inner.is_dir() and not inner.is_symlink():
        for entry in sorted(os.listdir(inner), key=lambda name: name == "config"):  # noqa: PTH208 - names only
            (inner / entry).rename(where.staging / entry)
        inner.rmdir()


def make_view(where: Place, folder: str, run_as: RunAs | None) -> None:
    """Show the repository as it looks to an rsync that sends its folder, without copying. Blocking.

    What lies there already is found under the same names then, and not sent again.
    """
    drop_view(where)
    for directory, _, files in os.walk(where.repository):
        target = where.view / folder / os.path.relpath(directory, where.repository)
        target.mkdir(mode=0o700, parents=True)
        for name in files:
            with suppress(FileNotFoundError):
                os.link(Path(directory) / name, target / name, follow_symlinks=False)
    if run_as is not None:
        for directory, _, _ in os.walk(where.view):
            os.chown(directory, run_as.uid, run_as.gid, follow_symlinks=False)


def drop_view(where: Place) -> None:
    if where.view.is_dir() and not where.view.is_symlink():
        shutil.rmtree(where.view)


def discard_staging(where: Place) -> None:
    """Delete what is staged; what a crash leaves of it is never taken for an import. Blocking."""
    if where.staging.is_dir():
        require_below(where.root, where.staging)
        where.staging.rename(where.home / f"{_DISCARDED}{os.urandom(4).hex()}")
    clear_discarded(where)


def clear_discarded(where: Place) -> None:
    """Delete what was discarded, and what is left where that was interrupted. Blocking."""
    with suppress(FileNotFoundError):
        for entry in os.listdir(where.home):  # noqa: PTH208 - names only
            if entry.startswith(_DISCARDED):
                shutil.rmtree(where.home / entry)


def trash_target(where: Place, now: datetime) -> Path:
    """Where in the trash of its root something of this place goes."""
    stamp = now.strftime("%Y%m%dT%H%M%S.%f")
    return where.trash / f"{where.login}-{where.directory}-{stamp}"


def move_to_trash(where: Place, path: Path, target: Path) -> None:
    """Move a directory to its `trash_target`; the row that tells of it was written before."""
    presence.require(where.root)
    require_below(where.root, path)
    try:
        where.trash.mkdir(mode=0o700, exist_ok=True)
        path.rename(target)
    except OSError as error:
        raise StorageError(
            "%(path)s cannot be moved to the trash: %(strerror)s.",
            path=path,
            strerror=error.strerror,
        ) from error


def restore_from_trash(root: Path, entry: Path, target: Path) -> None:
    """Move a directory from the trash back to where it was."""
    presence.require(root)
    require_below(root / TRASH_DIRECTORY, entry)
    require_below(root, target)
    if not entry.is_dir():
        if target.is_dir():  # a restore that was interrupted got that far
            return
        raise StorageError("%(entry)s is no longer in the trash.", entry=entry)
    if target.exists():
        if any(target.iterdir()):
            raise StorageError("%(target)s exists already and is not empty.", target=target)
        target.rmdir()
    try:
        target.parent.mkdir(mode=0o711, exist_ok=True)
        entry.rename(target)
    except OSError as error:
        raise StorageError(
            "%(entry)s cannot be moved back: %(strerror)s.", entry=entry, strerror=error.strerror
        ) from error


def destroy(root: Path, entry: Path) -> None:
    """Delete a directory of the trash for good. Blocking: call in a thread."""
    presence.require(root)
    require_below(root / TRASH_DIRECTORY, entry)
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)


def occupied_bytes(paths: Iterable[Path]) -> int:
    """What these directories take on their disk, as quotas count it. Blocking: call in a thread.

    Each file and directory counts as whole blocks: a million empty ones fill a disk too.
    """
    total = 0
    waiting = [str(path) for path in paths]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with suppress(OSError):
                    size = entry.stat(follow_symlinks=False).st_size
                    total += max(1, -(-size // _BLOCK)) * _BLOCK
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
    return total


def tree_bytes(path: Path) -> int:
    """Sum of the sizes of all regular files below `path`. Blocking: call in a thread."""
    total = 0
    for directory, _, files in os.walk(path):
        for name in files:
            try:
                total += os.lstat(os.path.join(directory, name)).st_size  # noqa: PTH118 - hot loop
            except FileNotFoundError:
                continue
    return total
