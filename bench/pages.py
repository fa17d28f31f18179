"""How long the pages take in a hive with a long history: a real server, asked over HTTP.

1,000 repositories, a backup a day for 200 days, five events each: 1,000,000 events. Every page is
asked again and again by one reader who sees everything; what counts is the median, and what the
server uses of the processors for a page: its own process alone, without this client. Of that, the
event loop's part is named as well, which keeps everything else waiting. The stalls are those of the
first pages after the start, with nothing compiled yet. HIVE_BENCH_REPOSITORIES=10000 for a hive
that is large.

`script/bench pages demo` asks a demo instead (`hive demo`), which is made several times faster: its
repositories are in the database only, so that nothing on the disk is looked at meanwhile.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from hive.kinds import Access, EventKind, Role
from hive.services import runtime
from hive.services.accounts import users
from hive.services.accounts.users import AddUser
from hive.services.demo import people, seeding
from hive.services.health import schedules
from hive.services.health.schedules import ScheduleChange
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue, tags
from tests import factories
from tests.factories import PASSWORD

REPOSITORIES = int(os.environ.get("HIVE_BENCH_REPOSITORIES", "1000"))
DAYS = int(os.environ.get("HIVE_BENCH_DAYS", "200"))
TIMES = int(os.environ.get("HIVE_BENCH_TIMES", "40"))
_OWNERS = 20
_CALM_SECONDS, _CALM = 5, 0.05  # at most this share of a processor
_EVENT_KINDS = [EventKind.OPENED, EventKind.UPDATED_LOCALLY, *[EventKind.CLOSED] * 3]  # of each
_READY = re.compile(r"ready .* web=http://127\.0\.0\.1:(\d+)\n")


async def _prepare(directory: Path) -> list[int]:
    """People, keys and repositories as people add them; the ids of the repositories."""
    await runtime.start(factories.make_settings(directory))
    await users.add_user(OPERATOR, AddUser(name="root", password=PASSWORD, role=Role.ADMINISTRATOR))
    template = directory / "template"
    factories.make_borg_repository(template, directory / "client")
    ids = []
    for number in range(REPOSITORIES):
        if number % (REPOSITORIES // _OWNERS or 1) == 0:
            owner = await factories.make_user(f"owner{number}")
            key = await factories.make_key(owner, f"laptop{number}")
        made = await factories.make_repository(
            owner, f"repository{number}", accesses={key.name: Access.FULL}
        )
        info = await catalogue.find_repository(OPERATOR, made.login)
        info.path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(template, info.path)
        await schedules.set_schedule(OPERATOR, made.id, ScheduleChange(every=timedelta(days=1)))
        await tags.change_tags(OPERATOR, made.id, add=[f"tag{number % 7}"])
        ids.append(made.id)
    await runtime.stop()
    return ids


async def _make_up(directory: Path) -> None:
    """The same with the data of `hive demo`."""
    runtime.mark_demo(directory)
    await runtime.start(factories.make_settings(directory))
    await seeding.seed(repositories=REPOSITORIES, days=DAYS, password=PASSWORD)
    await runtime.stop()


def _text(at: datetime) -> str:
    return at.isoformat(" ")


def _times(number: int) -> Iterator[datetime]:
    """When a repository was backed up: at its hour, each day; some are down, some are late."""
    behind = {0: 40, 1: 30}.get(number % 200, 6 + number % 17)
    last = datetime.now(UTC).replace(microsecond=123) - timedelta(hours=behind)
    yield from (last - timedelta(days=days) for days in range(DAYS - 1, -1, -1))


def _fill(database: Path, ids: list[int]) -> None:
    """Write the history: a session, its events and a measurement for each backup."""
    with sqlite3.connect(database) as connection:
        session = connection.execute("SELECT coalesce(max(id), 0) FROM session").fetchone()[0]
        for number, repository in enumerate(ids):
            rows, events, sizes = [], [], []
            login = connection.execute(
                "SELECT login FROM repository WHERE id = ?", [repository]
            ).fetchone()[0]
            for day, at in enumerate(_times(number)):
                session += 1
                end, size = at + timedelta(minutes=3), 10**11 + day * 10**8
                rows.append((session, repository, login, _text(at), _text(end)))
                for kind in _EVENT_KINDS:
                    message = f"Key laptop: {kind}, 1.40 GB in."
                    events.append((_text(end), repository, session, kind, message, "{}"))
                sizes.append((repository, _text(end), size, size))
            connection.executemany(
                "INSERT INTO session (id, repository_id, login, key_fingerprint, key_name, peer,"
                " command, need, mode, access, operation, started_at, ended_at, bytes_in,"
                " bytes_out, exit_status, end_reason, node, archive_created, bytes_added)"
                " VALUES (?, ?, ?, 'SHA256:x', 'laptop', '192.0.2.7', 'borg serve', 'borg',"
                " 'BORG', 'full', 'create', ?, ?, 1400000000, 3400, 0, 'done', 'here', 'yes',"
                " 100000000)",
                rows,
            )
            connection.executemany(
                "INSERT INTO event (at, repository_id, session_id, kind, message, details)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                events,
            )
            connection.executemany(
                "INSERT INTO statistic (repository_id, at, size_bytes, live_bytes)"
                " VALUES (?, ?, ?, ?)",
                sizes,
            )
            last = rows[-1][-1]
            connection.execute(
                "UPDATE repository SET last_backup_at = ?, initialized_at = ?, size_bytes = ?,"
                " look_at = ?, days_known = 0 WHERE id = ?",
                [last, last, size, last, repository],
            )


class _Reader:
    """One who is logged in, with one connection to the server."""

    def __init__(self, port: int, name: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        form = urlencode({"name": name, "password": PASSWORD})
        origin = f"http://127.0.0.1:{port}"
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin}
        self._connection.request("POST", "/login", form, headers)
        answer = self._connection.getresponse()
        answer.read()
        self._cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]

    def read(self, path: str) -> tuple[float, int]:
        """The seconds that a page takes, and its bytes."""
        begun = time.perf_counter()
        self._connection.request("GET", path, headers={"Cookie": self._cookie})
        answer = self._connection.getresponse()
        body = answer.read()
        seconds = time.perf_counter() - begun
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status}")
        return seconds, len(body)


def _cpu(process: int) -> tuple[float, float]:
    """The milliseconds of processors that a process has used so far, and its event loop of them."""
    used = {
        thread.name: int((thread / "schedstat").read_text().split()[0]) / 10**6
        for thread in Path(f"/proc/{process}/task").iterdir()
    }
    return sum(used.values()), used[str(process)]


def _read_often(reader: _Reader, process: int, path: str) -> str:
    """A line of the table: medians of many times, but for the slowest."""
    reader.read(path)
    spent, taken, size = [], [], 0
    for _ in range(TIMES):
        before = _cpu(process)
        seconds, size = reader.read(path)
        after = _cpu(process)
        spent.append((after[0] - before[0], after[1] - before[1]))
        taken.append(seconds * 1000)
    cpu = statistics.median(all_ for all_, _ in spent)
    loop = statistics.median(loop for _, loop in spent)
    return (
        f"{path:24} {cpu:6.1f} {loop:8.1f} {statistics.median(taken):9.1f} {max(taken):9.1f}"
        f" {size / 1000:8.1f}"
    )


def _until_calm(process: int) -> None:
    """Wait until the server has seen to what a start is for, or for as long as it may take."""
    end = time.monotonic() + float(os.environ.get("HIVE_BENCH_REST", "600"))
    while time.monotonic() < end:
        before, _ = _cpu(process)
        time.sleep(_CALM_SECONDS)
        if _cpu(process)[0] - before < _CALM_SECONDS * 1000 * _CALM:
            return


_PAGES = (
    "/",
    "/?sort=growth",
    "/?group=tag",
    "/?group=owner&sort=-size",
    "/?state=late",
    "/?q=repository7",
    "/?q=%23tag3",
    "/wall",
    "/repositories/{repository}",
    "/events",
    "/sessions",
)


def _measure(directory: Path, repository: int, name: str = "root") -> None:
    command = [sys.executable, "-m", "hive", "--data-dir", str(directory), "serve"]
    log = directory.parent / "log"
    with log.open("w") as errors:
        server = subprocess.Popen(
            [*command, "--ssh", "127.0.0.1:0", "--web", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("HIVE_")},
        )
        try:
            assert server.stdout is not None  # noqa: S101 - it is a pipe
            ready = _READY.match(server.stdout.readline())
            if ready is None:
                raise SystemExit("the server did not start")
            paths = [path.format(repository=repository) for path in _PAGES]
            reader = _Reader(int(ready[1]), name)
            for path in paths:
                reader.read(path)
            time.sleep(1)  # the watchdog logs what it has seen a moment later
            stalls = re.findall(r"stood still .*?seconds=([0-9.]+)", log.read_text())
            print(f"stalls of the event loop over 250 ms by the first pages: {len(stalls)}")
            _until_calm(server.pid)
            print(f"{'':24} {'CPU ms':>6} {'of loop':>8} {'median ms':>9} {'slowest':>9} {'kB':>8}")
            for path in paths:
                print(_read_often(reader, server.pid, path), flush=True)
        finally:
            server.terminate()
            server.wait()


def main() -> None:
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made) / "hive"
        if sys.argv[1:] == ["demo"]:
            asyncio.run(_make_up(directory))
            print(f"{REPOSITORIES} repositories, {DAYS} days of a demo")
            _measure(directory, REPOSITORIES // 2, people.ADMINISTRATOR)
            return
        ids = asyncio.run(_prepare(directory))
        _fill(directory / "hive.sqlite3", ids)
        count = REPOSITORIES * DAYS * len(_EVENT_KINDS)
        print(f"{REPOSITORIES} repositories, {count} events")
        _measure(directory, ids[len(ids) // 2])


if __name__ == "__main__":
    main()
