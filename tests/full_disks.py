"""Small disks of their own for tests, and what fills them to the last byte."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MIB = 1024**2


def may_mount() -> bool:
    """Whether this user may mount a tmpfs here; it tries, in a mount namespace of its own."""
    if os.geteuid() != 0:
        return False
    tried = [
        "/usr/bin/unshare",
        "--mount",
        "mount",
        "-t",
        "tmpfs",
        "-o",
        "size=1m",
        "tmpfs",
        "/mnt",
    ]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[Path]:
    """A tmpfs of that size, mounted at `path`."""
    path.mkdir(parents=True, exist_ok=True)
    options = f"size={megabytes}m,mode=0755"
    subprocess.run(["/usr/bin/mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["/usr/bin/umount", "--lazy", path], check=True)


@contextmanager
def large_disk(path: Path, gigabytes: int) -> Iterator[Path]:
    """A file system of that size in a sparse image; OSError where there is no loop device."""
    image = path.with_name(f"{path.name}.ext4")
    with image.open("wb") as file:
        file.truncate(gigabytes * 1024 * MIB)
    path.mkdir(parents=True, exist_ok=True)
    for words in (
        ["/usr/sbin/mkfs.ext4", "-q", "-F", "-m", "0", str(image)],
        ["/usr/bin/mount", "-o", "loop", str(image), str(path)],
    ):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise OSError(done.stderr)
    try:
        path.chmod(0o755)
        yield path
    finally:
        subprocess.run(["/usr/bin/umount", "--lazy", path], check=True)
        image.unlink()


def free_bytes(path: Path) -> int:
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def fill(path: Path, *, leave: int = 0) -> None:
    """Let a file of somebody else's take all that is free there, but `leave` bytes."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        step = free_bytes(path.parent) - leave
        while step > 0 and free_bytes(path.parent) > leave:
            try:
                os.posix_fallocate(descriptor, os.fstat(descriptor).st_size, step)
            except OSError:  # some of it goes into what describes the file
                step //= 2
    finally:
        os.close(descriptor)
    assert free_bytes(path.parent) <= leave
