"""Repositories of the real borg for tests of its log, and segments made by hand."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

from hive.borg.segments import MAGIC, Log, Tag
from tests.e2e.gate.files import noise
from tests.programs import borg_command


class Local:
    """A repository on this disk and the borg that works on it."""

    def __init__(self, directory: Path, version: str) -> None:
        self.directory, self.version = directory, version
        self.repository = directory / "repository"
        self.source = directory / "source"

    def run(self, *arguments: str | Path, status: int = 0) -> str:
        environment = {
            "PATH": os.defpath,
            "BORG_BASE_DIR": str(self.directory / "base"),
            "BORG_SELFTEST": "disabled",
            "BORG_PASSPHRASE": "a passphrase for tests",
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
            "LC_ALL": "C.UTF-8",
        }
        done = subprocess.run(
            [borg_command(self.version), *map(str, arguments)],
            env=environment,
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == status, done.stderr
        return done.stdout

    def create(self, name: str) -> None:
        self.run("create", f"{self.repository}::{name}", self.source)

    def compact(self, threshold: int = 10) -> None:
        self.run("compact", "--threshold", str(threshold), self.repository)

    def prune_to(self, *kept: str) -> None:
        for name in self.archives():
            if name not in kept:
                self.run("delete", f"{self.repository}::{name}")

    def archives(self) -> list[str]:
        return self.run("list", "--short", self.repository).split()

    @property
    def last(self) -> int:
        with Log(self.repository) as log:
            last = log.last_commit()
        assert last is not None
        return last

    def go_back_to(self, transaction: int) -> None:
        """What a rollback does, without its checks: to see what borg makes of it."""
        for path in (self.repository / "data").rglob("*"):
            if path.is_file() and int(path.name) > transaction:
                path.unlink()
        for kind in ("index", "hints", "integrity"):
            for path in self.repository.glob(f"{kind}.*"):
                path.unlink()
        # this client has seen the newer state, and refuses the older one
        shutil.rmtree(self.directory / "base" / ".cache")
        for path in (self.directory / "base").rglob("manifest-timestamp"):
            path.unlink()


def make_local(directory: Path, version: str) -> Local:
    """A repository with the archives one, two and three, each with a chunk of its own."""
    made = Local(directory, version)
    made.source.mkdir(parents=True)
    made.run("init", "-e", "repokey-blake2", made.repository)
    for number, name in enumerate(("one", "two", "three")):
        (made.source / "random").write_bytes(noise(200_000, seed=number))
        made.create(name)
    return made


def entry(tag: Tag, key: bytes = b"", data: bytes = b"") -> bytes:
    """An entry as borg writes it."""
    size = 9 + len(key) + len(data)
    head = struct.pack("<IB", size, tag)
    return struct.pack("<I", zlib.crc32(head + key + data)) + head + key + data


def write_segment(repository: Path, number: int, *entries: bytes) -> Path:
    path = repository / "data" / str(number // 1000) / str(number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(MAGIC + b"".join(entries))
    return path


COMMIT = entry(Tag.COMMIT)
