"""Ballast: a file that only takes room, in good times, to be given up when the disk is full.

The one in the data directory keeps the database writing; the one in a storage root gives borg what
it wants free before it deletes or compacts anything, and the few blocks that a lock takes: without
those not even a list of archives can be had. Blocking, but for `relieve`, which is quick.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from hive import log

logger = log.get(__name__)

# With this much free, locks, directories and a transaction of the database all succeed.
_ENOUGH = 256 * 1024
_STEP = 1024**2  # given up at once where there is less, and left for others when it is taken back


@dataclass(frozen=True)
class Ballast:
    """The ballast file at `path`."""

    path: Path

    @property
    def size(self) -> int:
        try:
            return self.path.lstat().st_size
        except OSError:
            return 0

    def grow(self, to: int) -> None:
        """Make it that large, really allocated; where there is no room for that, it stays."""
        current = self.size
        if to <= current:
            return
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(self.path, flags, 0o600)
        except OSError as error:
            logger.debug("no ballast can be made", path=str(self.path), reason=str(error))
            return
        try:
            os.posix_fallocate(descriptor, current, to - current)
        except OSError as error:
            os.ftruncate(descriptor, current)
            logger.debug("the ballast cannot grow", path=str(self.path), reason=str(error))
        finally:
            os.close(descriptor)

    def shrink(self, to: int) -> None:
        if to >= self.size:
            return
        try:
            os.truncate(self.path, to)
        except OSError as error:
            logger.error("the ballast is stuck", path=str(self.path), reason=str(error))

    def give_up(self) -> int:
        """Give all of it up; how much it was."""
        given = self.size
        self.shrink(0)
        return given

    def take_back(self, to: int) -> None:
        """Make it as large as it was before `give_up`, but leave a little for others."""
        current = self.size
        self.grow(min(to, current + max(0, self._free() - _STEP)))

    def relieve(self, *, is_urgent: bool = False) -> bool:
        """Give up a little where hardly anything is free, or at once; whether that was done."""
        current = self.size
        if not current or (not is_urgent and self._free() >= _ENOUGH):
            return False
        self.shrink(max(0, current - _STEP))
        return True

    def _free(self) -> int:
        try:
            status = os.statvfs(self.path)
        except OSError:
            return 0
        return status.f_bavail * status.f_frsize
