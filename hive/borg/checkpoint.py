"""Whether the last archive that a session committed may have been a checkpoint. Pure.

A client that dies right after the commit of a checkpoint looks like one whose backup is complete:
the deletion that would distinguish them never comes. What is known all the same:

- a client that ends its side before it could have taken the answer to its commit has not finished;
- by default a client makes a checkpoint 1,800 s after it began, or after the one before. A commit
  sooner than that is none, and one much later is none either: it would have come when it was due;
- with `--checkpoint-interval` that time is another one. Once a session has removed a checkpoint, it
  is known how long it took, and the next one takes as long.

The first checkpoint of a shorter interval, and a death after the client has read the answer, is
the one case that looks like a backup on the wire. If archives are not encrypted, the
manifest tells: hive/borg/manifest.py.
"""

from __future__ import annotations

from dataclasses import dataclass

_INTERVAL = 1800.0  # seconds; borg's default
_EARLY, _LATE = 5.0, 60.0  # around it
_INACCURACY, _SHARE = 2.0, 0.02  # of an interval that was seen
_TAKES_THE_ANSWER = 0.002  # seconds; a client writes its caches before it ends its side


@dataclass(frozen=True)
class Timing:
    """Seconds, on the server's clock, around the commit that made the newest archive.

    `since_former`: after the repository was opened, or the former commit. `since_put`: after the
    first object of the transaction. `shown`: the shortest `since_former` of those that the session
    removed again. `ended_after`: from the answer to the end of the client's side; negative where
    it ended before the answer, None where it did not end.
    """

    since_former: float
    since_put: float
    shown: float | None = None
    ended_after: float | None = None


def may_be_checkpoint(timing: Timing) -> bool:
    """Whether a client that ended its side after this commit may have died there."""
    if timing.ended_after is not None and timing.ended_after < _TAKES_THE_ANSWER:
        return True
    if timing.shown is not None:
        shortest = timing.shown - max(_INACCURACY, timing.shown * _SHARE)
        return timing.since_former >= shortest
    return any(
        _INTERVAL - _EARLY <= seconds <= _INTERVAL + _LATE
        for seconds in (timing.since_former, timing.since_put)
    )
