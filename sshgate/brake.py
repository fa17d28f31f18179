"""What holds one session to its quota: it counts, waits, refuses new data, and ends in the end."""

from __future__ import annotations

from collections.abc import Callable

from hive.borg.request_filter import RequestFilter
from hive.kinds import EndReason
from sshgate.relay import Relay

_NEVER = 2**63
# Bytes from a client after its first refusal: borg gives up at once, and has some on their way.
_PATIENCE = 32 * 1024 * 1024


class Brake:
    """The side of a session that hive.services.repositories.quota_watch sees."""

    def __init__(self, end: Callable[[EndReason, str], None]) -> None:
        self.sentence: str | None = None  # why no new data is taken
        self._end = end
        self._relay: Relay | None = None
        self._requests: RequestFilter | None = None
        self._ask_at = _NEVER
        self._may_send = _NEVER
        self._has_ended = False

    def attach(
        self, relay: Relay, requests: RequestFilter | None, reached: Callable[[], None]
    ) -> None:
        """The session begins; what was asked for until now holds from here on."""
        self._relay, self._requests = relay, requests
        relay.on_mark = reached
        relay.mark = self._ask_at
        if self.sentence is not None:
            self._refuse(self.sentence)

    @property
    def was_used(self) -> bool:
        """Whether the client was refused new data, or its session ended for that."""
        return self.sentence is not None and (self._has_refused or self._has_ended)

    @property
    def said(self) -> str | None:
        """Why new data was refused; None where none was."""
        return self.sentence if self.was_used else None

    # what the watch asks for

    @property
    def arrived(self) -> int:
        return self._relay.bytes_in if self._relay is not None else 0

    def ask_at(self, arrived: int) -> None:
        self._ask_at = arrived
        if self._relay is not None:
            self._relay.mark = arrived

    def wait(self) -> None:
        if self._relay is not None:
            self._relay.hold()

    def go_on(self) -> None:
        if self._relay is not None:
            self._relay.release()

    def take_no_more(self, sentence: str) -> None:
        is_first = self.sentence is None
        self.sentence = self.sentence or sentence
        if self._relay is None or (is_first and self._refuse(sentence)):
            return
        is_polite = not self._has_refused or self.arrived <= self._may_send
        if self._requests is not None and is_polite:
            return  # what it deletes is welcome
        self._has_ended = True
        self._end(EndReason.QUOTA, self.sentence.rstrip("."))

    @property
    def _has_refused(self) -> bool:
        return self._requests is not None and "put" in self._requests.refused_methods

    def _refuse(self, sentence: str) -> bool:
        """Have each `put` answered with the sentence; False where the program knows none."""
        if self._requests is None:
            return False
        self._requests.refuse_new_data(sentence)
        self._may_send = self.arrived + _PATIENCE
        return True
