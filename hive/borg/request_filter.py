"""Holds the requests of one connection, from the client to borg serve, against the policy."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from hive.borg.call_stream import CallStream, Filtered
from hive.borg.framing import ProtocolError
from hive.borg.heads import BulkCall
from hive.borg.repository_path import Meaning, meaning_of, refusal, shown
from hive.borg.rpc import (
    Call,
    Refusal,
    answer_nothing,
    client_version,
    is_error,
    refuse,
    refuse_number,
)
from hive.borg.rpc_arguments import ARGUMENTS
from hive.borg.rpc_policy import Phase, Policy, Rules, shown_method
from hive.sentences import say

MOST_BEFORE_OPEN: Final = 1024 * 1024
_MOST_RECORDED: Final = 32
_LONGEST_PATH: Final = 4096


class RequestFilter:
    """Decides on each request of one connection.

    For the record: what the client said of itself and of the repository in its first messages,
    and the methods that were refused.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._rules = Rules(policy)
        self._stream = CallStream(self)
        self._next_phase = Phase.CLOSED  # once borg serve has answered `open`
        self._open_number: int | None = None
        self._before_open = 0
        self.first_number: int | None = None  # of the first call
        self.client_version: str | None = None
        self.requested_path: str | None = None
        self.former_path: str | None = None  # a path that will be refused some day
        self.create = False
        self.exclusive = False
        self.refused_methods: list[str] = []
        self.has_broken_lock = False  # asked to, where there was none

    @property
    def phase(self) -> Phase:
        return self._rules.phase

    @property
    def opened(self) -> bool:
        """Whether `open` was passed on."""
        return self._open_number is not None

    def refuse_new_data(self, sentence: str) -> None:
        """From now on refuse new data with `sentence`; reading, deleting and compacting go on.

        The first sentence holds: a full disk and a quota may both have one.
        """
        self._rules.no_new_data = self._rules.no_new_data or sentence

    def skip_payload(self, size: int) -> bool:
        """Return whether the next `size` bytes are payload and pass: `feed` need not see them."""
        return self._stream.skip_payload(size)

    def feed(self, data: bytes) -> Filtered:
        """Return what becomes of `data`.

        Raises ProtocolError when the session has to end.
        """
        self._before_open += 0 if self.opened else len(data)
        result = self._stream.feed(data)
        if not self.opened and self._before_open > MOST_BEFORE_OPEN:
            raise ProtocolError("The client sent more than 1 MiB before it opened the repository.")
        return result

    # the answer to `open`

    @property
    def wants_answers(self) -> bool:
        """Whether answers of borg serve have to be shown to `answered`."""
        return self.phase in (Phase.START, Phase.OPENING)

    def answered(self, message: bytes) -> None:
        """Take one whole answer of borg serve: the repository is open, or it is not."""
        if self.phase is Phase.OPENING and self._open_number is not None:
            failed = is_error(message, self._open_number)
            if failed is not None:
                self._rules.phase = Phase.CLOSED if failed else self._next_phase

    # what the stream asks

    def judge_bulk(self, call: BulkCall) -> bytes | None:
        """Return the answer to a put, get or delete that is refused, None where it passes."""
        why = self._rules.objection_to_bulk(call)
        if why is None:
            return None
        self._record_refused(call.method)
        return refuse_number(call.number, Refusal.ERROR, why)

    def judge(self, call: Call, result: Filtered) -> None:
        """Add to `result` what becomes of any other call."""
        if self.first_number is None:
            self.first_number = call.number
        known = ARGUMENTS.get(call.method, {})
        call = replace(call, arguments={k: v for k, v in call.arguments.items() if k in known})
        why = self._rules.objection(call)
        if why is not None:
            self._refuse(call, Refusal.ERROR, why, result)
        elif call.method == "open":
            self._open(call, result)
        elif self._rules.passed(call):
            if call.method == "negotiate":
                self.client_version = self.client_version or client_version(call)
            result.forward.append(call.encode())
        else:
            self.has_broken_lock = self.has_broken_lock or call.method == "break_lock"
            result.replies.append(answer_nothing(call))

    def _open(self, call: Call, result: Filtered) -> None:
        path = _path(call)
        self.requested_path = path[:_LONGEST_PATH]
        self.create = call.arguments.get("create") is True
        self.exclusive = call.arguments.get("exclusive") is True
        meaning = meaning_of(path, self._policy.paths)
        if meaning in (Meaning.BELOW, Meaning.OTHER) or (meaning is Meaning.FORMER and self.create):
            why = refusal(path, meaning, name=self._policy.name, url=self._policy.url)
            self._refuse(call, Refusal.PATH_NOT_ALLOWED, why, result)
            return
        objection = self._rules.objection_to_opening(call)
        if objection is not None:
            self._refuse(call, Refusal.ERROR, objection, result)
            return
        if meaning is Meaning.FORMER:
            self._note_former_path(path, result)
        self._rules.phase = Phase.OPENING
        self._rules.is_creating = self.create
        self._open_number = call.number
        arguments = call.arguments | {"path": self._policy.path} | self._lock_arguments(call)
        result.forward.append(replace(call, arguments=arguments).encode())

    def _lock_arguments(self, call: Call) -> dict[str, object]:
        """Return how the repository is locked, and set the phase that follows from it."""
        if call.arguments.get("lock", True) is True:
            self._next_phase = Phase.EXCLUSIVE if self.exclusive else Phase.SHARED
            return {"lock": True, "exclusive": self.exclusive}
        is_locked = self._policy.is_locked()
        self._next_phase = Phase.LOCKED if is_locked else Phase.MAINTENANCE
        return {"lock": not is_locked, "exclusive": False}

    def _note_former_path(self, path: str, result: Filtered) -> None:
        self._rules.is_former = True
        self.former_path = self.requested_path
        result.notices.append(
            say(
                "%(path)s is a former path of this repository and will be refused some "
                "day: use %(url)s",
                path=shown(path),
                url=self._policy.url,
            )
        )

    def _refuse(self, call: Call, kind: Refusal, why: str, result: Filtered) -> None:
        self._record_refused(call.method)
        if call.method == "open" and self.phase is Phase.START:
            self._rules.phase = Phase.CLOSED
        result.replies.append(refuse(call, kind, why))

    def _record_refused(self, method: str) -> None:
        shown = shown_method(method)
        if shown not in self.refused_methods and len(self.refused_methods) < _MOST_RECORDED:
            self.refused_methods.append(shown)


def _path(call: Call) -> str:
    path = call.arguments.get("path")
    if not isinstance(path, bytes):
        raise ProtocolError("The client opens a repository without a path.")
    return path.decode("utf-8", "backslashreplace")
