"""What tests of imports and exports share: a repository from elsewhere, figures, a canary."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from hive.kinds import Access, Mode
from hive.services.lifecycle import imports
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from tests.e2e.gate.files import make_files
from tests.e2e.gate.harness import PASSPHRASE, Client, Done, House
from tests.programs import borg_command

SEGMENT_BYTES = "400000"
_STATISTIC = re.compile(r"^([A-Z][A-Za-z ()]+): ([\d,.]+)", re.MULTILINE)


def make_repository(directory: Path) -> Path:
    """A borg repository of some MB in many segments, with two archives; made without a server."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "LANG": "C.UTF-8",
        "BORG_BASE_DIR": str(directory / "borg"),
        "BORG_SELFTEST": "disabled",
        "BORG_PASSPHRASE": PASSPHRASE,
    }
    made, files = directory / "repository", make_files(directory / "files")
    for words in (
        ["init", "-e", "repokey-blake2", made],
        ["config", made, "max_segment_size", SEGMENT_BYTES],
        ["create", "-C", "none", f"{made}::one", "."],
        ["create", "-C", "none", f"{made}::two", "."],
    ):
        if "::two" in str(words[-2]):
            (files / "more").write_bytes(os.urandom(1_500_000))
        command: list[str | Path] = [borg_command("1.4"), *words]
        subprocess.run(command, check=True, cwd=files, env=environment, timeout=60)
    return made


def newest_index(repository: Path) -> int:
    """The number of the last transaction: where borg cuts segments differs each time."""
    return max(int(path.name.partition(".")[2]) for path in repository.glob("index.*"))


def largest_segment(repository: Path) -> Path:
    return max(repository.glob("data/*/*"), key=lambda path: path.stat().st_size)


def statistics(done: Done) -> dict[str, int]:
    """The figures that rsync --stats prints."""
    return {name: int(re.sub(r"[,.]", "", value)) for name, value in _STATISTIC.findall(done.text)}


@dataclass(frozen=True)
class Transfer:
    """A repository behind the gate, a client whose key opens it, and a source to bring there."""

    house: House
    client: Client
    info: RepositoryInfo
    source: Path

    @property
    def target(self) -> str:
        return f"{self.info.login}@127.0.0.1:"

    @property
    def staging(self) -> Path:
        return self.info.path.parent / ".import"

    async def push(self, *options: str, source: Path | None = None, **environment: str) -> Done:
        words = options or ("-a",)
        return await self.client.rsync(
            *words, f"{source or self.source}/", self.target, **environment
        )

    async def pull(self, target: Path, *options: str, path: str = "", **environment: str) -> Done:
        words = options or ("-a",)
        return await self.client.rsync(*words, f"{self.target}{path}", target, **environment)

    async def switch(self, mode: Mode) -> imports.Settled | None:
        return await imports.switch_mode(OPERATOR, self.info.id, mode)

    async def now(self) -> RepositoryInfo:
        return await catalogue.find_repository(OPERATOR, self.info.login)

    async def borg(self, *arguments: str | Path, cwd: Path | None = None) -> Done:
        return await self.client.borg(*arguments, cwd=cwd)


async def prepare(
    house: House,
    source: Path,
    *,
    mode: Mode = Mode.IMPORT,
    access: Access = Access.FULL,
    filled: bool = False,
) -> Transfer:
    """A repository in `mode`, empty or `filled` with a copy of `source`."""
    client = house.client()
    await house.user()
    await house.key(client, "laptop")
    info = await house.repository("laptop", {"laptop": access}, mode=mode)
    if filled:
        info.path.parent.mkdir(mode=0o700)
        shutil.copytree(source, info.path)
    return Transfer(house, client, info, source)
