from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from hive.process.spec import ChildSpec
from hive.services.gate.admission import Admission
from hive.services.programs.discovery import program_roots
from hive.services.programs.host import Host
from sshgate import session
from sshgate.command import Borg2Serve, BorgServe, Rsync
from sshgate.plan import Plan
from tests.e2e.gate.harness import House, open_house
from tests.e2e.gate.machine import Machine, make_machine
from tests.e2e.gate.transfers import make_repository
from tests.programs import borg_command


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as opened:
        yield opened


@pytest.fixture(scope="session")
def made_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A borg repository that nobody may change."""
    return make_repository(tmp_path_factory.mktemp("made"))


@pytest.fixture
def source(made_repository: Path, tmp_path: Path) -> Path:
    """A borg repository from elsewhere, for this test alone."""
    copied = tmp_path / "elsewhere"
    shutil.copytree(made_repository, copied)
    return copied


@pytest.fixture
def version() -> str:
    """Of the borg on both sides of `machine`."""
    return "1.4"


@pytest_asyncio.fixture
async def machine(tmp_path: Path, version: str) -> AsyncIterator[Machine]:
    """A machine with three backups in a house of its own."""
    async with open_house(tmp_path, **{"borg.command": borg_command(version)}) as opened:
        yield await make_machine(opened, tmp_path, version)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have the gate run a Python program where it would run borg serve."""

    def choose(program: str) -> None:
        def plan(
            admission: Admission, _request: BorgServe | Borg2Serve | Rsync, _host: Host
        ) -> Plan:
            python = str(Path(sys.executable).resolve())
            spec = ChildSpec(
                argv=(python, "-I", "-S", "-c", program),
                environment={"PATH": "/usr/bin:/bin"},
                cwd=admission.place.repository.resolve(),
                writable=(admission.place.repository.resolve(),),
                executable=(*program_roots(python), Path(sys.base_prefix).resolve()),
            )
            return Plan(spec, None)

        monkeypatch.setattr(session, "make_plan", plan)

    return choose
