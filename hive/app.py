"""The composition root: builds the server, runs it, stops it. Knows both sshgate and web."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

from hive import (
    background,
    control_server,
    database,
    descriptors,
    first_contact,
    log,
    loop_watchdog,
    signals,
    translation,
)
from hive.config import dangers
from hive.config import settings as config
from hive.config.settings import HeartbeatSettings, Settings
from hive.driver_error import DriverError
from hive.errors import HiveError
from hive.notify import email
from hive.notify.channel import Means
from hive.outgoing.client import Outgoing
from hive.services import runtime, secrets, triggers
from hive.services.accounts import attempt_limits, first_setup, mail
from hive.services.alarms import server_alarms
from hive.services.checks import Check
from hive.services.clock import trust
from hive.services.delivery.courier import Courier
from hive.services.demo import running
from hive.services.gate import host_keys
from hive.services.lifecycle.mover import Mover
from hive.services.measurements import local_changes
from hive.services.notifications import downtime_notices
from hive.services.outbox import downtimes, sending
from hive.services.programs import confinement, host
from hive.services.programs.discovery import Programs
from hive.services.server import (
    clock_watch,
    database_watch,
    handover,
    heartbeat,
    jobs,
    mail_watch,
    program_watch,
    recovery,
    scheduler,
    server_watch,
    storage_watch,
)
from hive.services.storage import disks
from hive.services.upkeep.worker import UpkeepWorker
from sshgate.gate import Gate
from sshgate.server import Server
from web.app import create_app
from web.server import Server as WebServer

logger = log.get(__name__)

_PROGRESS_SECONDS = 1.0
_FILES_PER_SESSION = 6  # the connection, and pipes of a child
_FILES_OF_THE_SERVER = 128
_RECHECK_SECONDS = 60.0  # keys expire while sessions run
_LOST_SECONDS = 15.0
_ANSWER_SECONDS = 4.0  # what is known without the database and the disks is said in any case


def run(settings: Settings, *, login: str = "") -> int:
    """Serve until SIGTERM; the exit status. `login`: how to log in to a demo."""
    log.configure(settings.server.log_level, settings.server.log_format)
    return loop_watchdog.run(_serve(settings, login))


async def _serve(settings: Settings, login: str) -> int:
    stopping = _Stopping()
    _raise_open_files(settings)
    async with AsyncExitStack() as stack:
        runtime.prepare_directories(settings.paths)
        # It also ensures that only one server runs on this data directory.
        control_socket = await control_server.serve(settings.paths.control_socket)
        stack.push_async_callback(control_socket.close)
        await asyncio.to_thread(translation.load_languages)
        await runtime.start(settings, is_server=True)
        stack.push_async_callback(runtime.stop)
        await trust.start()
        await clock_watch.put_right_at_start()
        base = database_watch.watch()
        stack.push_async_callback(base.save)
        await secrets.prepare()
        mail.use(mail_sender(settings, is_demo=runtime.is_demo()))
        _warn([*config.unknown_variables(), *dangers.dangerous(settings)])
        storage = storage_watch.StorageWatch()
        await storage.begin()
        if not runtime.is_demo():  # whose sessions no gate runs
            await recovery.recover_from_crash()
        if (was_off := await downtimes.note_start()) is not None:
            await downtime_notices.tell(was_off)
        here, findings = await host.inspect_host(settings)
        _warn(_in_words(findings))
        _tell_confinement(findings)
        handover.use(here.confinement.owner)
        stack.callback(handover.stop)
        gate = Gate(here)
        stack.push_async_callback(triggers.stop)
        stack.callback(triggers.listen())
        stack.callback(signals.subscribe(attempt_limits.on_happening))
        ssh = Server(gate)
        means = await stack.enter_async_context(sending.opened_means())
        problems = functools.partial(_problems, ssh)
        web = WebServer(create_app(settings, health=problems), settings.web)
        await web.listen()
        stack.push_async_callback(web.stop)
        await ssh.listen(await host_keys.load())
        stack.push_async_callback(stopping.wait_for, ssh, settings.server.drain_seconds)
        stack.callback(loop_watchdog.watch())
        await _announce(settings, ssh, web, login)
        stack.callback(runtime.remove_listening)
        worker = UpkeepWorker(here)
        watched = program_watch.ProgramWatch(
            settings, here.confinement, functools.partial(_use_programs, gate, worker)
        )
        parts = _Parts(settings, gate, storage, base, worker, watched, means, problems)
        for name, task in _tasks(parts).items():
            stack.callback(background.spawn(task(), name=name).cancel)
        await stopping.asked.wait()
        logger.info("stopping", sessions=len(gate.sessions))
    return 0


@dataclass(frozen=True)
class _Parts:
    """What the tasks of the server work with."""

    settings: Settings
    gate: Gate
    storage: storage_watch.StorageWatch
    base: database_watch.DatabaseWatch
    worker: UpkeepWorker
    programs: program_watch.ProgramWatch
    means: Means
    problems: Callable[[], Awaitable[list[str]]]


_Tasks = dict[str, Callable[[], Coroutine[Any, Any, None]]]


def _tasks(parts: _Parts) -> _Tasks:
    """What runs as long as the server does, by name."""
    always: _Tasks = {
        "recheck": lambda: _recheck(parts.gate),
        "watch the storage": parts.storage.run,
        "watch the clock": server_watch.watch_clock,
        "watch the database": lambda: server_watch.watch_database(parts.base),
        "watch the programs": lambda: server_watch.watch_programs(parts.programs),
    }
    return always | (_of_a_demo(parts) if runtime.is_demo() else _of_a_server(parts))


def _of_a_demo(parts: _Parts) -> _Tasks:
    """Its repositories are not on the disk, and nothing is sent."""
    return {
        "show progress": lambda: running.show_progress(parts.gate.counters),
        "schedule jobs": scheduler.Scheduler(jobs.OF_A_DEMO).run,
    }


def _of_a_server(parts: _Parts) -> _Tasks:
    mail_relay = _mail_watch(parts.means)
    return {
        "close lost sessions": lambda: _close_lost(parts.gate),
        "show progress": lambda: _show_progress(parts.gate),
        "watch for local changes": local_changes.LocalChangeWatch().run,
        "take care of repositories": parts.worker.run,
        "move repositories": Mover().run,
        "watch the mail relay": lambda: server_watch.watch_mail(mail_relay),
        "schedule jobs": scheduler.Scheduler().run,
        "deliver notifications": Courier(parts.means).run,
        "send heartbeats": lambda: _send_heartbeats(
            parts.settings.heartbeat, parts.problems, parts.means.outgoing
        ),
    }


def _use_programs(gate: Gate, worker: UpkeepWorker, found: Programs) -> None:
    if gate.use_programs(found):
        worker.use(gate.host)


def _raise_open_files(settings: Settings) -> None:
    """Use all the open files that the system allows; warn where the settings may need more."""
    limit = descriptors.raise_limit()
    needed = (
        settings.ssh.max_unauthenticated
        + _FILES_PER_SESSION * settings.ssh.max_sessions
        + settings.web.max_connections
        + _FILES_OF_THE_SERVER
    )
    logger.debug("open files", limit=limit)
    if limit < needed:
        warning = (
            f"The system allows {limit} open files, and the settings may need {needed}: raise the"
            " hard limit (LimitNOFILE= of the service, or ulimit -Hn)."
        )
        _warn([warning])


class _Stopping:
    """SIGTERM and SIGINT: the first asks the server to stop, the second to stop at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self._asked_again = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        if self.asked.is_set():
            self._asked_again.set()
        self.asked.set()

    async def wait_for(self, ssh: Server, drain_seconds: float) -> None:
        """Drain the gate; cut that short when asked again."""
        draining = background.spawn(ssh.stop(drain_seconds), name="drain")
        again = background.spawn(self._asked_again.wait(), name="second signal")
        await asyncio.wait({draining, again}, return_when=asyncio.FIRST_COMPLETED)
        again.cancel()
        if not draining.done():
            logger.warning("ending the running sessions at once")
            draining.cancel()
            with suppress(asyncio.CancelledError):
                await draining
            await ssh.stop(0)


def mail_sender(settings: Settings, *, is_demo: bool = False) -> mail.Sender | None:
    """What sends the mails of services through the relay of the settings, if there is one."""
    if settings.mail.host is None or is_demo:
        return None
    server = email.MailServer(settings.mail, runtime.public_url())

    async def send(message: mail.Mail) -> None:
        await email.send_text(server, message.to, message.subject, message.text)

    return send


def _mail_watch(means: Means) -> mail_watch.MailWatch:
    server = email.MailServer.of(means)
    examine = functools.partial(email.certificate_problem, server)
    return mail_watch.MailWatch(server.settings.host, examine)


def _in_words(findings: Sequence[Check]) -> list[str]:
    return [
        f"{finding.message}. {finding.remedy or ''}".strip()
        for finding in findings
        if finding.level != "ok"
    ]


def _tell_confinement(findings: Sequence[Check]) -> None:
    for finding in findings:
        if finding.level == "ok" and finding.subject in confinement.SUBJECTS:
            logger.info(finding.message)


def _warn(sentences: list[str]) -> None:
    for sentence in sentences:
        logger.warning(sentence)


async def _problems(ssh: Server) -> list[str]:
    """What of the server as a whole is not well, in a few words each."""
    found = []
    if not ssh.is_listening:
        found.append("gate")
    age = scheduler.tick_age()
    if age is not None and age > scheduler.MAX_TICK_AGE:
        found.append("scheduler")
    found += await _problems_of_disks() if await _database_answers() else ["database"]
    return [*found, *server_alarms.outages()]


async def _database_answers() -> bool:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await database.answers()
    except TimeoutError:
        return False


async def _problems_of_disks() -> list[str]:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await disks.problems()
    except TimeoutError:
        return ["a disk of the server does not answer"]
    except (HiveError, DriverError) as error:
        logger.error("the disks cannot be looked at", reason=str(error))
        return []


async def _send_heartbeats(
    settings: HeartbeatSettings, problems: Callable[[], Awaitable[list[str]]], outgoing: Outgoing
) -> None:
    while settings.url is not None:
        await heartbeat.beat(settings, problems, outgoing)
        await asyncio.sleep(settings.interval_seconds)


async def _announce(settings: Settings, ssh: Server, web: WebServer, login: str) -> None:
    """Print where the server listens, for scripts and for people; `login`: that of a demo."""
    name = runtime.host_name()
    url = first_contact.page_url([web.address], name, None)
    file = runtime.database_file()
    opened = None if file is None else (file.device, file.inode)
    runtime.write_listening(runtime.Listening(os.getpid(), ssh.port, url, opened))
    _print(f"ready ssh={ssh.address} web=http://{web.address}")
    if login:
        _print(f"\nDemo data: nothing here is real. Open {url}/ and log in {login}.")
        _print("Ctrl+C ends the demo and removes everything.")
        return
    token = await first_setup.new_setup_token()
    path = "" if token is None else f"/setup/{token}"
    for line in first_contact.block(runtime.base_url(), web.addresses, name, path):
        _print(line)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def _show_progress(gate: Gate) -> None:
    while True:
        await asyncio.sleep(_PROGRESS_SECONDS)
        gate.show_progress()


async def _recheck(gate: Gate) -> None:
    while True:
        await asyncio.sleep(_RECHECK_SECONDS)
        await gate.finish_pending()
        await gate.end_disallowed()


async def _close_lost(gate: Gate) -> None:
    while True:
        await asyncio.sleep(_LOST_SECONDS)
        await gate.close_lost()
