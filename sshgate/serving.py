"""What a session needs to know of its command: limits, filter, observer, what its status means."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from hive import log
from hive.background import spawn
from hive.borg import locks, manifest
from hive.borg.observer import Observer, RpcWatch
from hive.borg.observer_rest import RestWatch
from hive.borg.request_filter import RequestFilter
from hive.borg.rpc_policy import Policy
from hive.borg.verdict import is_lock_timeout, was_not_opened
from hive.driver_error import DriverError
from hive.errors import AccessRefused, HiveError, RefusalCause
from hive.kinds import Access, ArchiveCreated, EndReason, Need
from hive.process.child import Child
from hive.process.spec import RunAs
from hive.sentences import say
from hive.services.gate.admission import Admission
from hive.services.lifecycle import imports
from hive.services.measurements import statistics
from hive.services.programs import discovery
from hive.services.repositories.quota_watch import Meter, QuotaWatch
from hive.services.sessions import lock_holders, record
from hive.services.sessions.record import Outcome
from hive.services.storage import paths
from sshgate import command
from sshgate.brake import Brake
from sshgate.channel import GateChannel
from sshgate.command import Rsync
from sshgate.gate import Gate
from sshgate.plan import Plan
from sshgate.relay import Relay

logger = log.get(__name__)

REJECTED_STATUS = 23  # rsync's own for "some files were not transferred (see previous errors)"
NOT_BEGUN = say(
    "The server could not start its program for this session: its administrator can help."
)
# of rsync for a connection that broke off: in its stream, and in reading or writing
_RSYNC_CUT_OFF = (12, 10)
_LAST_WORDS_SECONDS = 5.0  # for a client to take what is left when its session is ended


def refused_outcome(refused: AccessRefused, status: int) -> Outcome:
    """What became of a session that was refused after it began."""
    outcome = Outcome(end_reason=EndReason.REFUSED, exit_status=status, bytes_in=0, bytes_out=0)
    if refused.cause != RefusalCause.PROGRAM:
        return outcome
    return replace(outcome, could_not_start=True, said=refused.message)


def has_not_begun(plan: Plan, child_status: int, relay: Relay) -> bool:
    """Whether the program ended before it said anything, so that it is asked for its version."""
    if child_status == 0 or relay.bytes_out or relay.protocol_error is not None:
        return False
    discovery.suspect(plan.spec.argv[0])
    logger.error("a program ended at once", program=plan.spec.argv[0], status=child_status)
    return True


def make_view(admission: Admission, run_as: RunAs | None) -> None:
    """Show an import what is there already, under the folder of the last import. Blocking."""
    paths.drop_view(admission.place)  # of a server that was killed
    if admission.is_created and admission.import_folder is not None:
        # Where it cannot be made (no hard links there), more is sent than need be.
        with suppress(OSError):
            paths.make_view(admission.place, admission.import_folder, run_as)


def may_write(admission: Admission, request: command.Request) -> bool:
    """Whether the session may add something to what lies on disk."""
    if admission.need == Need.BORG:
        return admission.access != Access.READ_ONLY
    is_dry = isinstance(request, Rsync) and request.is_dry_run
    return admission.need == Need.IMPORT and not is_dry


async def metered(
    watch: QuotaWatch, admission: Admission, request: command.Request, brake: Brake
) -> Meter:
    """Hold what the session writes against its quotas; an import over one does not begin."""
    is_import = admission.need == Need.IMPORT
    meter = await watch.begin(
        admission.repository_id,
        admission.place,
        brake,
        is_import=is_import,
        is_buffered=isinstance(request, command.Borg2Serve),
    )
    if is_import and brake.sentence is not None:
        await meter.end()
        raise AccessRefused(brake.sentence, RefusalCause.QUOTA)
    return meter


async def settle(admission: Admission, tell: Callable[[str], None]) -> int:
    """Verify an import that rsync brought to its end, and put it in place; the exit status."""
    try:
        settled = await imports.finish_import(admission.repository_id)
    except HiveError as error:
        tell(say("The import stays staged: %(problem)s", problem=error.message))
        return REJECTED_STATUS
    tell(settled.message)
    return 0 if settled.facts is not None else REJECTED_STATUS


def measure_later(admission: Admission, outcome: Outcome) -> None:
    """Look at what the session did; the client need not wait for it."""
    if admission.need == Need.STATUS or admission.session_id < 0:
        return
    # a session that failed can leave much on the disk without a commit
    changed = outcome.before != outcome.after or has_brought(admission, outcome)
    measuring = statistics.after_session(
        admission.repository_id, admission.session_id, changed=changed
    )
    spawn(measuring, name="measure")


def has_brought(admission: Admission, outcome: Outcome) -> bool:
    """Whether the session wrote anything, committed or not."""
    if admission.need != Need.BORG:
        return admission.need == Need.IMPORT and outcome.bytes_in > 0
    facts = outcome.facts
    if facts is None:
        return False
    calls = facts.calls
    return facts.note is not None or any(
        calls.get(one) for one in ("put", "delete", "store packs", "store archives")
    )


class Purpose:
    """Notes whether a running session only reads, or may be a backup."""

    def __init__(self, admission: Admission, observer: Observer | None) -> None:
        self._session_id = admission.session_id
        self._observer = observer if admission.session_id > 0 else None
        self._noted = False

    def passed(self) -> None:
        """Something came from the client."""
        if self._observer is None or self._observer.only_reads == self._noted:
            return
        self._noted = not self._noted
        spawn(self._note(), name="note reading")

    async def _note(self) -> None:
        try:
            await record.note_reading(self._session_id, only_reads=self._noted)
        except (HiveError, DriverError) as error:
            logger.error("not noted", session=self._session_id, reason=str(error))


def reason_of(admission: Admission, child_status: int, relay: Relay, brake: Brake) -> EndReason:
    """Why a session ended that nobody asked to end."""
    if brake.was_used:
        return EndReason.QUOTA
    failed = child_status != 0 or relay.protocol_error is not None
    is_rsync = admission.need in (Need.IMPORT, Need.EXPORT)
    if is_rsync and relay.client_ended and child_status in _RSYNC_CUT_OFF:
        return EndReason.CLIENT_GONE
    return EndReason.FAILED if failed else EndReason.DONE


async def with_what_the_disk_says(admission: Admission, outcome: Outcome, gate: Gate) -> Outcome:
    """Add how the manifest calls what the session made, and who had the lock it did not get."""
    facts, path = outcome.facts, admission.place.repository
    if facts is None or admission.need != Need.BORG:
        return outcome
    if is_lock_timeout(facts) or was_not_opened(facts):
        # A lock that another user of the server holds can be in the way by its permissions alone.
        holder = await lock_holders.words(
            path, admission.repository_id, admission.session_id, gate.processes()
        )
        if holder is None and is_lock_timeout(facts):
            holder = await lock_holders.former(admission.repository_id, admission.session_id)
        return replace(outcome, holder=holder)
    if facts.archive is None:
        return outcome
    found = await asyncio.to_thread(manifest.read, path)
    made = None if found is None else found.named(bytes.fromhex(facts.archive))
    if made is None:
        return outcome
    return replace(
        outcome, listed=ArchiveCreated.PARTIAL if made.is_checkpoint else ArchiveCreated.YES
    )


def with_less(admission: Admission, request: command.Request, meter: Meter | None) -> Admission:
    """Let borg 2 only read what is far over its quota: it cannot be refused new data alone."""
    if isinstance(request, command.Borg2Serve) and meter is not None and meter.is_far_over:
        return replace(admission, access=Access.READ_ONLY)
    return admission


def filter_of(gate: Gate, policy: Policy | None, admission: Admission) -> RequestFilter | None:
    """What holds borg 1's requests against the policy; None for other programs."""
    if policy is None:
        return None
    repository_id, session_id = admission.repository_id, admission.session_id
    gate.check_locks_hold(repository_id, session_id)
    return RequestFilter(
        replace(
            policy,
            in_the_way=lambda: gate.in_the_way(repository_id, session_id),
            is_locked=lambda: locks.is_locked(Path(policy.path)),
        )
    )


def observer_of(request: command.Request, path: str) -> Observer | None:
    if isinstance(request, command.BorgServe):
        return Observer(RpcWatch((path,)))
    return Observer(RestWatch()) if isinstance(request, command.Borg2Serve) else None


def seen_of(requests: RequestFilter | None, observer: Observer | None) -> dict[str, Any]:
    """What was seen of the protocol, by the names of Outcome's fields."""
    facts = observer.facts() if observer is not None else None
    if requests is None:
        return {"facts": facts}
    if facts is not None and requests.has_broken_lock:
        facts = replace(facts, calls={**facts.calls, "break_lock": 1}, lock_broken=True)
    return {
        "facts": facts,
        "borg_version": requests.client_version,
        "refused_methods": tuple(requests.refused_methods),
        "former_path": requests.former_path,
    }


async def end_child(
    child: Child, relay: Relay, channel: GateChannel | None, grace_seconds: float
) -> None:
    """End the program, and the channel too where the client does not take what is left for it."""
    await child.end(grace_seconds)
    try:
        async with asyncio.timeout(_LAST_WORDS_SECONDS):
            await relay.over.wait()
    except TimeoutError:  # a client that does not read keeps no session
        relay.client_gone()
        if channel is not None:
            channel.abort()


def shell_status(child_status: int) -> int:
    """A shell's way to say that a signal ended the child: 128 and its number."""
    return 128 - child_status if child_status < 0 else child_status
