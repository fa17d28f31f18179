"""What a session needs to know of its command: limits, filter, observer, what its status means."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from hive import log
from hive.borg import locks
from hive.borg.observer import Observer, RpcWatch
from hive.borg.observer_rest import RestWatch
from hive.borg.request_filter import RequestFilter
from hive.borg.rpc_policy import Policy
from hive.child import Child, RunAs
from hive.database import spawn
from hive.errors import AccessRefused, HiveError, RefusalCause
from hive.kinds import Access, EndReason, Need
from hive.services import imports, programs, statistics, storage
from hive.services.access import Admission
from hive.services.quota_watch import Meter, Watch
from hive.services.sessions import Outcome
from sshgate import command
from sshgate.brake import Brake
from sshgate.channel import GateChannel
from sshgate.command import Rsync
from sshgate.gate import Gate
from sshgate.plan import Plan
from sshgate.relay import Relay

logger = log.get(__name__)

REJECTED_STATUS = 23  # rsync's own for "some files were not transferred (see previous errors)"
NOT_BEGUN = "The server could not start its program for this session: its administrator can help."
_LAST_WORDS_SECONDS = 5.0  # for a client to take what is left when its session is ended


def refused_outcome(refused: AccessRefused, status: int) -> Outcome:
    """What became of a session that was refused after it began."""
    outcome = Outcome(EndReason.REFUSED, status, 0, 0)
    if refused.cause != RefusalCause.PROGRAM:
        return outcome
    return replace(outcome, could_not_start=True, said=refused.message)


def reason_of(child_status: int, relay: Relay, brake: Brake) -> EndReason:
    """Why a session ended that nobody asked to end."""
    if brake.was_used:
        return EndReason.QUOTA
    failed = child_status != 0 or relay.protocol_error is not None
    return EndReason.FAILED if failed else EndReason.DONE


def has_not_begun(plan: Plan, child_status: int, relay: Relay) -> bool:
    """Whether the program ended before it said anything, so that it is asked for its version."""
    if child_status == 0 or relay.bytes_out or relay.protocol_error is not None:
        return False
    programs.suspect(plan.spec.argv[0])
    logger.error("a program ended at once", program=plan.spec.argv[0], status=child_status)
    return True


def make_view(admission: Admission, run_as: RunAs | None) -> None:
    """Show an import what is there already, under the folder of the last import. Blocking."""
    storage.drop_view(admission.place)  # of a server that was killed
    if admission.is_created and admission.import_folder is not None:
        # Where it cannot be made (no hard links there), more is sent than need be.
        with suppress(OSError):
            storage.make_view(admission.place, admission.import_folder, run_as)


def may_write(admission: Admission, request: command.Request) -> bool:
    """Whether the session may add something to what lies on disk."""
    if admission.need == Need.BORG:
        return admission.access != Access.READ_ONLY
    is_dry = isinstance(request, Rsync) and request.is_dry_run
    return admission.need == Need.IMPORT and not is_dry


async def metered(
    watch: Watch, admission: Admission, request: command.Request, brake: Brake
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


async def settle(admission: Admission, say: Callable[[str], None]) -> int:
    """Verify an import that rsync brought to its end, and put it in place; the exit status."""
    try:
        settled = await imports.settle(admission.repository_id)
    except HiveError as error:
        say(f"The import stays staged: {error.message}")
        return REJECTED_STATUS
    say(settled.message)
    return 0 if settled.facts is not None else REJECTED_STATUS


def measure_later(admission: Admission, outcome: Outcome) -> None:
    """Look at what the session did; the client need not wait for it."""
    if admission.need == Need.STATUS or admission.session_id < 0:
        return
    changed = outcome.before != outcome.after
    measuring = statistics.after_session(
        admission.repository_id, admission.session_id, changed=changed
    )
    spawn(measuring, name="measure")


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
