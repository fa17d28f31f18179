"""The container image, built and run by buildah without a daemon and without a registry."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.machines.debian import STABLE, copy_checkout, system_tar

BASE = "docker.io/library/debian:trixie-slim"  # the name in the Dockerfile; nothing is pulled
NAME = "borg-hive"
SECONDS_TO_BUILD = 900


@dataclass(frozen=True)
class Buildah:
    """buildah with a storage of its own."""

    directory: Path

    @property
    def command(self) -> list[str]:
        places = ["--root", str(self.directory / "root"), "--runroot", str(self.directory / "run")]
        return ["buildah", *places, "--storage-driver", "vfs"]

    def __call__(self, *arguments: str, cwd: Path | None = None) -> str:
        done = subprocess.run(
            [*self.command, *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=cwd,
            timeout=SECONDS_TO_BUILD,
        )
        assert done.returncode == 0, (arguments, done.stdout[-4000:], done.stderr[-4000:])
        return done.stdout.strip()

    def configuration(self) -> Any:
        """What the image says about itself, as a container engine reads it."""
        return json.loads(self("inspect", "--type", "image", NAME))["Docker"]["config"]


def built(directory: Path) -> Buildah:
    """The image of this checkout, made from a base that mmdebstrap makes here."""
    buildah = Buildah(directory / "storage")
    base = buildah("from", "scratch")
    buildah("add", base, str(system_tar(STABLE, directory)), "/")
    buildah("commit", "--rm", base, BASE)
    copy_checkout(directory / "checkout")
    buildah(
        *("bud", "--isolation", "chroot", "--pull-never", "--format", "docker"),
        *("--layers=false", "--tag", NAME, "."),
        cwd=directory / "checkout",
    )
    return buildah
