"""Which directories the kernel watches for which repository: its own, or where it is to appear."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from asyncinotify import Event as Notice
from asyncinotify import Inotify, Mask, Watch

from hive import log

logger = log.get(__name__)

# The directory itself only: `data` changes all the time, and says less than `index.N`.
_MASK = (
    Mask.CREATE
    | Mask.DELETE
    | Mask.MOVED_TO
    | Mask.MOVED_FROM
    | Mask.DELETE_SELF
    | Mask.MOVE_SELF
    | Mask.ONLYDIR
    | Mask.DONT_FOLLOW
)


# Of a directory in which others are to appear.
_ABOVE = Mask.CREATE | Mask.MOVED_TO | Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.ONLYDIR


class Watches:
    """Which directory the kernel watches for which repository; without inotify, none.

    Where a repository's directory is not there, the nearest one above it is watched until it is:
    its login's, or the storage root.
    """

    def __init__(self, inotify: Inotify | None = None) -> None:
        self._inotify = inotify
        self._watches: dict[int, Watch] = {}
        self._whose: dict[int, int] = {}  # the kernel's number of a watch, and the repository
        self._above: dict[int, dict[str, set[int]]] = {}  # by number: who waits for which name
        self._limit_was_told = False

    @property
    def repositories(self) -> frozenset[int]:
        return frozenset(self._watches)

    def put(self, repository_id: int, path: Path) -> None:
        """Watch the directory that lies at `path` now.

        The kernel is asked each time, which costs little: what was watched can have been moved or
        replaced, and the notice of it lost.
        """
        if self._inotify is None:
            return
        try:
            try:
                watch = self._inotify.add_watch(path, _MASK)
            except FileNotFoundError:
                self.drop(repository_id)
                self._wait_for(repository_id, path)
                watch = self._inotify.add_watch(path, _MASK)  # it can have come meanwhile
        except OSError as error:
            self.drop(repository_id)
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                self._tell_limit(error)
            return
        former = self._watches.get(repository_id)
        if former is not None and former.wd != watch.wd:
            self.drop(repository_id)
        self._watches[repository_id] = watch
        self._whose[watch.wd] = repository_id

    def _wait_for(self, repository_id: int, path: Path) -> None:
        """Watch the nearest directory above that is there, at most the storage root."""
        if self._inotify is None:
            return
        for directory, name in ((path.parent, path.name), (path.parent.parent, path.parent.name)):
            with suppress(FileNotFoundError):
                watch = self._inotify.add_watch(directory, _ABOVE)
                self._above.setdefault(watch.wd, {}).setdefault(name, set()).add(repository_id)
                return

    def awaited(self, notice: Notice) -> set[int]:
        """Whose places the notice is about, among those that were not there."""
        waiting = None if notice.watch is None else self._above.get(notice.watch.wd)
        if waiting is None or notice.watch is None:
            return set()
        if notice.mask & (Mask.IGNORED | Mask.DELETE_SELF | Mask.MOVE_SELF):
            del self._above[notice.watch.wd]
            return set().union(*waiting.values())
        return waiting.pop(str(notice.name), set())

    def drop(self, repository_id: int) -> None:
        watch = self._watches.pop(repository_id, None)
        # a directory can have been moved to another repository's place, and be watched for that
        if watch is None or self._whose.get(watch.wd) != repository_id:
            return
        del self._whose[watch.wd]
        if self._inotify is not None:
            with suppress(OSError):  # it is gone with its directory
                self._inotify.rm_watch(watch)

    def hear(self, notice: Notice) -> int | None:
        """Whose repository the notice is about; None where nobody asked for it any longer."""
        watch = notice.watch
        repository_id = None if watch is None else self._whose.get(watch.wd)
        if watch is None or repository_id is None:
            return None
        if Mask.IGNORED in notice.mask:  # the kernel's last word on it
            del self._whose[watch.wd]
            if self._watches.get(repository_id) is watch:
                del self._watches[repository_id]
        return repository_id

    def _tell_limit(self, error: OSError) -> None:
        if not self._limit_was_told:
            self._limit_was_told = True
            logger.warning(
                "not all repositories can be watched: they are looked at now and then;"
                " `hive doctor` says more",
                reason=str(error),
            )
