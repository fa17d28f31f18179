"""What the services run on: the settings in effect, the data directory and the database.

Started once by the server, by each command of the command line and by each test.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
import stat
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

from hive import clock, files, memory, schema_version
from hive.ballast import Ballast
from hive.config import values
from hive.config.settings import Paths, Settings
from hive.database import (
    close_database,
    make_room_by,
    open_database,
    sqlite_url,
    transactional,
)
from hive.database_file import DatabaseFile, missing, note_made
from hive.errors import DatabaseError, StorageError
from hive.models import Installation, Location, Repository
from hive.services.installation import identity, marker
from hive.services.installation.identity import DirectoryIdentity

DEFAULT_LOCATION = "default"
_DEMO_MARK = "demo"
_PUBLIC_URL = "public-url"


@dataclass
class Started:
    """What the services run on, from start to stop."""

    settings: Settings | None = None
    paths: tuple[Settings, Paths] | None = None  # made once, for it is asked for each repository
    installation: Installation | None = None
    identity: DirectoryIdentity | None = None
    database_file: DatabaseFile | None = None
    is_demo: bool = False
    public_url: str | None = None  # as given in the set-up


@dataclass(frozen=True)
class Listening:
    """Where the running server listens."""

    pid: int
    ssh_port: int
    web_url: str
    database: tuple[int, int] | None = None  # device and inode of the file that it has open


def settings() -> Settings:
    """The settings in effect."""
    found = memory.of(Started).settings
    if found is None:
        message = "hive.services.runtime.start was not called"
        raise RuntimeError(message)
    return found


def paths() -> Paths:
    started, current = memory.of(Started), settings()
    if started.paths is None or started.paths[0] is not current:
        started.paths = (current, current.paths)
    return started.paths[1]


def host_id() -> str:
    """BORG_HOST_ID of every borg that runs here, the same forever: its locks carry it."""
    return installation().host_id


def installation() -> Installation:
    """The row of this installation as it was at the start."""
    found = memory.of(Started).installation
    if found is None:
        message = "hive.services.runtime.start was not called"
        raise RuntimeError(message)
    return found


def node() -> str:
    """The id of this data directory, for session rows."""
    return _known_identity().id


def run_token() -> str:
    """What every program that runs for this data directory carries in its environment."""
    return _known_identity().run


def begin_run() -> None:
    """Take another token; call in the server once the programs of the former one are ended."""
    memory.of(Started).identity = identity.begin_run(paths(), _known_identity())


def _known_identity() -> DirectoryIdentity:
    found = memory.of(Started).identity
    if found is None:
        message = "hive.services.runtime.start was not called"
        raise RuntimeError(message)
    return found


def host_name() -> str:
    """The name of this machine."""
    return socket.gethostname()


def is_demo() -> bool:
    """Whether everything here is made up: pages say so, and nothing is sent to anybody."""
    return memory.of(Started).is_demo


def mark_demo(data_dir: Path) -> None:
    """Mark a data directory as that of a demo, for ever; call before anything is in it."""
    # One that is there may hold somebody's data. As `prepare_directories` makes it.
    data_dir.mkdir(mode=_open_to(), parents=True)
    (data_dir / _DEMO_MARK).write_text("Demo data. Nothing here is real.\n")


def owns_database() -> bool:
    """Whether the database belongs to this data directory alone, as SQLite does."""
    return settings().database.url is None


def database_file() -> DatabaseFile | None:
    """The file of the open database; None for another engine than SQLite."""
    return memory.of(Started).database_file


async def start(new_settings: Settings, *, is_server: bool = False) -> None:
    """Prepare the data directory, migrate and open the database.

    `is_server`: this process has the lock that only one server gets (hive/control.py).

    Raises DatabaseError where a database was there before and is gone, or where the running server
    has another file open: no second, empty one comes to be beside it.
    """
    memory.begin()
    try:
        await _start(new_settings, is_server=is_server)
    except BaseException:
        await stop()
        raise


async def _start(new_settings: Settings, *, is_server: bool) -> None:
    started = memory.of(Started)
    started.settings = new_settings
    ballast = Ballast(new_settings.paths.ballast)
    ballast.relieve()  # even opening SQLite takes some blocks
    prepare_directories(new_settings.paths)
    started.is_demo = (new_settings.paths.data_dir / _DEMO_MARK).exists()
    started.public_url = _stored_public_url(new_settings.paths)
    started.identity = identity.ensure(new_settings.paths, is_server=is_server)
    url = new_settings.database.url
    if url is None:
        path = new_settings.paths.database
        if not is_server:
            _require_same_file(path)
        if (problem := missing(path)) is not None:
            raise DatabaseError(problem)
        make_room_by(lambda is_urgent: ballast.relieve(is_urgent=is_urgent))
        await _upgrade(path)
        await open_database(sqlite_url(path))
        note_made(path)
        started.database_file = DatabaseFile.of(path)
    else:
        from hive import migrate  # noqa: PLC0415 - as in _upgrade

        await migrate.migrate_url(url.get_secret_value())
        await open_database(url.get_secret_value())
    started.installation = await _ensure_installation()
    await _prepare_first_root()


async def _upgrade(path: Path) -> None:
    """Bring the database to the newest schema; what does that is imported where it is needed."""
    if schema_version.is_newest(path):
        _make_private(path)
        return
    from hive import migrate  # noqa: PLC0415 - with the ORM's schema tools

    await migrate.migrate_sqlite(path)


def _make_private(path: Path) -> None:
    path.chmod(0o600)


def _require_same_file(path: Path) -> None:
    """Refuse to open another file than the running server has open."""
    listening = read_listening()
    if listening is None or listening.database is None or not _server_runs():
        return
    try:
        status = path.stat()
    except OSError:
        found = None
    else:
        found = (status.st_dev, status.st_ino)
    if found != listening.database:
        raise DatabaseError(
            "The database %(path)s is not the one that the running server has open: that was"
            " deleted or replaced. The server keeps a copy of it in %(path)s.rescued-*. Stop"
            " the server, put that copy in its place, and start it again.",
            path=path,
        )


def _server_runs() -> bool:
    """Whether a server has the data directory: it holds a lock as long as it runs."""
    try:
        directory = os.open(paths().run, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        fcntl.flock(directory, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(directory)  # and with it the lock
    return False


async def stop() -> None:
    """Close the database, and remember nothing any more."""
    await close_database()
    make_room_by(None)
    memory.end()


def _open_to() -> int:
    """Children of a server that root started run as another user, who must pass through."""
    return 0o711 if os.geteuid() == 0 else 0o700


def prepare_directories(place: Paths) -> None:
    try:
        mode = _open_to()
        place.data_dir.mkdir(mode=mode, parents=True, exist_ok=True)
        place.run.mkdir(mode=0o700, exist_ok=True)
        _prepare_scratch(place, mode)
    except OSError as error:
        raise StorageError(
            "The data directory %(data_dir)s cannot be prepared: %(strerror)s (%(filename)s)."
            " Name another one with --data-dir or correct its owner.",
            data_dir=place.data_dir,
            strerror=error.strerror,
            filename=error.filename,
        ) from error


def _prepare_scratch(place: Paths, mode: int) -> None:
    """It may lie in a directory that others write to: one of theirs is not used."""
    place.scratch.mkdir(mode=mode, parents=True, exist_ok=True)
    status = place.scratch.lstat()
    owners = {0, os.geteuid(), place.data_dir.stat().st_uid}
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in owners:
        raise StorageError(
            "%(scratch)s belongs to another user: name another child.scratch_dir.",
            scratch=place.scratch,
        )


def prepare_root(root: Path) -> None:
    """Make a storage root: children may pass through it, nobody else may look into it."""
    if not root.exists():
        root.mkdir(mode=0o711, parents=True)
        root.chmod(0o711)


@transactional
async def _ensure_installation() -> Installation:
    row = await Installation.first()
    if row is None:
        row = await Installation.create(
            host_id=f"borg-hive-{uuid.uuid4().hex}@{secrets.randbits(48)}", created_at=clock.now()
        )
    is_known = owns_database() and _known_identity().is_stored
    is_copy = is_known and row.node not in (None, node())
    if row.uid is None or is_copy:
        row.former_uid, row.uid = row.uid, str(uuid.uuid4())
    if is_known:
        row.node = node()
    await row.save()
    if not await Location.filter(is_default=True).exists():
        await Location.create(name=DEFAULT_LOCATION, is_default=True, created_at=clock.now())
    for location in await Location.filter(uid=None):
        await Location.filter(id=location.id).update(uid=str(uuid.uuid4()))
    return row


async def _prepare_first_root() -> None:
    """Make and mark the default storage root while nothing was ever there.

    Afterwards it is never made again: it may be a file system that is not mounted just now.
    """
    location = await Location.filter(is_default=True, root=None, marked_at=None).first()
    if location is None or await Repository.filter(location_id=location.id).exists():
        return
    root, mine = paths().repositories, str(installation().uid)
    try:
        prepare_root(root)
    except OSError as error:
        raise StorageError(
            "The storage root %(root)s cannot be made: %(strerror)s (%(filename)s).",
            root=root,
            strerror=error.strerror,
            filename=error.filename,
        ) from error
    try:
        found = marker.read(root)
        if found is not None and found.installation != mine:
            return
        marker.write(root, marker.with_location(found, mine, str(location.uid)))
    except (OSError, marker.Damaged):
        return  # hive.services.storage.places says what is wrong
    await note_marked(location.id)


@transactional
async def note_marked(location_id: int) -> None:
    """The root of a location carries its marker: from now on, it must."""
    await Location.filter(id=location_id).update(marked_at=clock.now(), away_since=None)


def listening_file() -> Path:
    return paths().run / "listening.json"


def write_listening(listening: Listening) -> None:
    """Tell the commands of the command line where the server listens."""
    files.replace(listening_file(), json.dumps(listening.__dict__).encode())
    paths().process_id.write_text(f"{listening.pid}\n")


def note_database(opened: tuple[int, int] | None) -> None:
    """Tell commands which database file they may open beside the server."""
    listening = read_listening()
    if listening is not None and listening.pid == os.getpid():
        write_listening(replace(listening, database=opened))


def remove_listening() -> None:
    listening_file().unlink(missing_ok=True)
    paths().process_id.unlink(missing_ok=True)


def read_listening() -> Listening | None:
    """Where the server listens, or None where it does not run."""
    try:
        values = json.loads(listening_file().read_text())
        database = values.get("database")
        listening = Listening(
            values["pid"],
            values["ssh_port"],
            values["web_url"],
            (database[0], database[1]) if database else None,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return listening if Path(f"/proc/{listening.pid}").exists() else None


def base_url() -> str:
    """What links to our pages begin with, without a slash at the end.

    The address that people type where it is set, else the one that the server listens on, else the
    one that it will listen on.
    """
    if (known := public_url()) is not None:
        return known
    listening = read_listening()
    return listening.web_url if listening is not None else f"http://{settings().web.addresses[0]}"


def public_url() -> str | None:
    """What links in messages begin with: as the settings say, or as was said in the set-up."""
    configured = settings().web.public_url
    return configured if configured is not None else public_url_of_setup()


def public_url_of_setup() -> str | None:
    return memory.of(Started).public_url


def store_public_url(url: str) -> None:
    """Keep what was said in the set-up; `url` is in the form of the setting."""
    files.replace(paths().data_dir / _PUBLIC_URL, f"{url}\n".encode())
    memory.of(Started).public_url = url


def _stored_public_url(place: Paths) -> str | None:
    try:
        return values.public_url((place.data_dir / _PUBLIC_URL).read_text().strip())
    except (OSError, ValueError):
        return None


def ssh_port() -> int:
    """The port of the gate: the one it listens on, else the one it will listen on."""
    listening = read_listening()
    return listening.ssh_port if listening else settings().ssh.addresses[0].port


def is_private(path: Path) -> bool:
    """Whether only this user, or the owner of the data directory, may read it."""
    status = path.stat()
    owners = {os.geteuid(), paths().data_dir.stat().st_uid}
    return status.st_uid in owners and status.st_mode & 0o077 == 0
