"""Directories to back up, and whether two of them are the same."""

from __future__ import annotations

import filecmp
import hashlib
import os
import random
from pathlib import Path

_DERIVED = ("index.", "hints.", "integrity.")


def make_files(directory: Path) -> Path:
    """A small directory with what directories have."""
    directory.mkdir(parents=True)
    (directory / "text").write_text("hello\n" * 1000)
    (directory / "random").write_bytes(noise(1_000_000))
    (directory / "deep").mkdir()
    (directory / "deep" / "empty").touch()
    (directory / "link").symlink_to("text")
    return directory


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that do not compress, the same each time."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - no secret


def same_tree(left: Path, right: Path) -> bool:
    compared = filecmp.dircmp(left, right)
    if compared.left_only or compared.right_only or compared.funny_files:
        return False
    _, mismatch, errors = filecmp.cmpfiles(left, right, compared.common_files, shallow=False)
    return (
        not mismatch
        and not errors
        and all(same_tree(left / name, right / name) for name in compared.common_dirs)
    )


def fingerprint(directory: Path) -> dict[str, str]:
    """Every file below a directory -> the digest of its content."""
    found = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            relative = os.fspath(path.relative_to(directory))
            found[relative] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def content(directory: Path) -> dict[str, str]:
    """The fingerprint of a borg repository but for what borg makes anew from its segments."""
    found = fingerprint(directory)
    return {name: one for name, one in found.items() if not name.startswith(_DERIVED)}
