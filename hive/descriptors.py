"""Open files of this process: raise the limit, and notice when few are left.

Every connection, pipe and file takes a descriptor. When none is free, nothing can be accepted or
started any more, so whatever strangers can open in numbers must stop early enough.
"""

from __future__ import annotations

import errno
import resource
import time
from collections.abc import Callable
from pathlib import Path

# The kernel's own default for fs.nr_open. Containers may allow a thousand times more; whatever
# counts up to the limit would take minutes then.
_MOST = 1024 * 1024
_LEAST_RESERVE, _MOST_RESERVE = 64, 512
_COUNT_SECONDS = 0.1


def raise_limit() -> int:
    """Raise the soft limit to the hard one; return the limit that is now in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return limit()


def limit() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if soft == resource.RLIM_INFINITY else min(soft, _MOST)


def in_use() -> int:
    """The number of open descriptors; all of them where none is left to count with."""
    try:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError as error:
        return limit() if error.errno in (errno.EMFILE, errno.ENFILE) else 0


class Reserve:
    """Descriptors kept free for the SSH gate, the database and child processes."""

    def __init__(
        self,
        most: int | None = None,
        count: Callable[[], int] = in_use,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit = limit() if most is None else most
        self.size = max(_LEAST_RESERVE, min(self.limit // 4, _MOST_RESERVE))
        self._count = count
        self._clock = clock
        self._in_use = 0
        self._count_again_at = 0.0

    def is_touched(self) -> bool:
        """Whether fewer are free than are reserved. Counted now and then: a crowd may ask."""
        now = self._clock()
        if now >= self._count_again_at:
            self._in_use = self._count()
            self._count_again_at = now + _COUNT_SECONDS
        else:
            self._in_use += 1  # the caller is about to keep one more
        return self.limit - self._in_use < self.size
