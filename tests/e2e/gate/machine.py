"""A machine that backs up to a hive, and what its owner does after an attack."""

from __future__ import annotations

import os
from pathlib import Path

from hive.kinds import Access, EventKind
from hive.services import events
from hive.services.alarms.alarms import UNTIL_ANSWERED
from hive.services.measurements import statistics
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from hive.services.repositories.infos import RepositoryInfo
from hive.services.rollback import preview, work
from hive.services.rollback.preview import RollbackOutlook, Step
from tests.e2e.gate.files import noise, same_tree
from tests.e2e.gate.harness import Client, House, until
from tests.programs import borg_command

ALARMS = set(UNTIL_ANSWERED)


async def make_machine(house: House, directory: Path, version: str) -> Machine:
    """It has the archives one, two and three, and files as they were at each."""
    made = Machine(house, directory, version)
    await house.user()
    await house.key(made.client, "laptop")
    await house.repository("laptop", {"laptop": Access.FULL})
    await made.borg("init", "-e", "repokey-blake2", await made.url())
    for number, name in enumerate(("one", "two", "three")):
        await made.backup(name, seed=number)
    return made


class Machine:
    def __init__(self, house: House, directory: Path, version: str) -> None:
        self.house, self.directory, self.version = house, directory, version
        self.client = self.another()

    def another(self) -> Client:
        """A client whose home is where its documents say that borg keeps things."""
        client = self.house.client()
        client.extra_environment["BORG_BASE_DIR"] = str(client.directory)
        return client

    async def info(self) -> RepositoryInfo:
        return await catalogue.find_repository(OPERATOR, "laptop")

    async def url(self) -> str:
        return (await self.info()).url

    async def borg(self, *words: str | Path, status: int = 0, cwd: Path | None = None) -> str:
        done = await self.client.borg(*words, version=self.version, cwd=cwd)
        return done.must(status).text

    async def backup(self, name: str, *, seed: int) -> None:
        source = self.directory / "source" / name
        source.mkdir(parents=True)
        (source / "random").write_bytes(noise(300_000, seed=seed))
        (source / "name").write_text(name)
        await self.borg("create", f"{await self.url()}::{name}", ".", cwd=source)

    async def delete(self, *names: str) -> None:
        for name in names:
            await self.borg("delete", f"{await self.url()}::{name}")

    async def archives(self) -> list[str]:
        return (await self.borg("list", "--short", await self.url())).split()

    async def archives_of_fresh(self) -> list[str]:
        """As somebody sees them who has never seen the repository before; so from now on."""
        self.client.extra_environment["BORG_BASE_DIR"] = str(self.client.directory / "fresh")
        return await self.archives()

    async def extracts(self, *names: str) -> None:
        """Every file of these archives comes back as it was."""
        for name in names:
            target = self.client.directory / f"restored-{name}"
            target.mkdir()
            await self.borg("extract", f"{await self.url()}::{name}", cwd=target)
            assert same_tree(self.directory / "source" / name, target), name

    async def follow(self, commands: tuple[str, ...]) -> None:
        """Run what page and command line say, as it stands there, with this borg as `borg`."""
        programs = self.client.directory / "bin"
        programs.mkdir(exist_ok=True)
        (programs / "borg").unlink(missing_ok=True)
        (programs / "borg").symlink_to(borg_command(self.version))
        path = f"{programs}:{os.environ['PATH']}"
        for command in commands:
            (await self.client.run("/bin/sh", "-c", command, PATH=path)).must()

    async def at_rest(self) -> None:
        await until(self.house.is_quiet)
        await statistics.measure((await self.info()).id)

    async def look(self) -> RollbackOutlook:
        await self.at_rest()
        return await preview.look(OPERATOR, (await self.info()).id)

    async def step(self, session: int) -> Step:
        return preview.find(await self.look(), f"session:{session}")

    async def go_back(self, step: Step) -> work.RolledBack:
        found = await self.look()
        assert found.current is not None
        return await work.roll_back(
            OPERATOR, found.repository_id, step.transaction, expected=found.current.transaction
        )

    async def kinds(self) -> list[EventKind]:
        found = await events.recent(OPERATOR, repository_id=(await self.info()).id, limit=1000)
        return [event.kind for event in found]

    async def alarms(self) -> list[EventKind]:
        return [kind for kind in await self.kinds() if kind in ALARMS]
