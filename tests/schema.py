"""A database with the newest schema, to be copied: migrating an empty one takes seconds."""

from __future__ import annotations

import asyncio
import fcntl
import functools
import hashlib
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

from hive.migrate import migrate_sqlite
from tests.programs import CHECKOUT

_KEPT = CHECKOUT / "build" / "schemas"


def put_database(target: Path) -> None:
    """Place an empty database of the newest schema at `target`, with its directory."""
    target.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    shutil.copy(migrated_database(), target)


async def migrate_from_copy(path: Path, *, upto: str = "__latest__") -> list[str]:
    """Do what migrate_sqlite does, but for a new database, which is a copy."""
    if upto == "__latest__" and not path.exists():
        shutil.copy(migrated_database(), path)
    return await migrate_sqlite(path, upto=upto)


@functools.cache
def migrated_database() -> Path:
    """One that nobody may change; made when the migrations changed, for all runs and workers."""
    _KEPT.mkdir(parents=True, exist_ok=True)
    made = _KEPT / f"{_fingerprint()}.sqlite3"
    with (_KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            for old in _KEPT.glob("*.sqlite3"):
                old.unlink()
            with tempfile.TemporaryDirectory(dir=_KEPT) as directory:
                new = Path(directory) / "hive.sqlite3"
                with ThreadPoolExecutor(1) as thread:  # this one may have a loop that runs
                    thread.submit(asyncio.run, migrate_sqlite(new)).result()
                new.rename(made)
    return made


def _fingerprint() -> str:
    """What the outcome depends on."""
    digest = hashlib.sha256(metadata.version("tortoise-orm").encode())
    for source in (*sorted((CHECKOUT / "migrations").glob("*.py")), CHECKOUT / "hive/migrate.py"):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:20]
