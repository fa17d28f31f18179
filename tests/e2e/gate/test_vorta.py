"""A backup with Vorta, the desktop program, without a desktop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hive.kinds import Access
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from tests.e2e.gate.files import make_files, same_tree
from tests.e2e.gate.harness import PASSPHRASE, Client, House, until
from tests.programs import borg_command, tool_command

SCHEMA = 23  # of the profiles that Vorta 0.11 exports


def write_profile(client: Client, url: str, source: Path) -> None:
    """What Vorta imports when it starts for the first time: one profile, ready to run."""
    ssh = client.environment()["BORG_RSH"]
    profile = {
        "SchemaVersion": {"id": 1, "version": SCHEMA},
        "id": 1,
        "name": "laptop",
        "repo": {
            "id": 1,
            "url": url,
            "encryption": "repokey-blake2",
            "extra_borg_arguments": f"--rsh '{ssh}'",
        },
        "password": PASSPHRASE,
        "new_archive_name": "from-vorta",
        "dont_run_on_metered_networks": False,
        "validation_on": False,
        "SourceFileModel": [{"dir": str(source), "path_isdir": True}],
        "ExclusionModel": [],
        "WifiSettingModel": [],
        "SettingsModel": [
            {"key": key, "value": False, "label": key, "type": "checkbox"}
            for key in ("use_system_keyring", "foreground", "enable_notifications")
        ],
    }
    (client.directory / ".vorta-init.json").write_text(json.dumps(profile))


def environment(client: Client) -> dict[str, str]:
    """No screen, no desktop's services, and the borg that a desktop has in its PATH."""
    borg = Path(borg_command("1.4")).parent
    return {
        "PATH": f"{borg}{os.pathsep}{os.environ['PATH']}",
        "QT_QPA_PLATFORM": "offscreen",
        "DBUS_SESSION_BUS_ADDRESS": "disabled:",
        "DBUS_SYSTEM_BUS_ADDRESS": "disabled:",
        "XDG_RUNTIME_DIR": str(client.directory),
        "TMPDIR": str(client.directory),
    }


@asynccontextmanager
async def running_vorta(client: Client) -> AsyncIterator[None]:
    """Vorta in the background until the block ends; when that fails, what Vorta said."""
    process = await client.start(vorta())
    said = asyncio.ensure_future(process.communicate())
    socket = client.directory / ".cache" / "Vorta" / "tmp" / "socket"

    async def listens() -> bool:
        return socket.exists() or said.done()

    try:
        await until(listens)
        yield
    except (AssertionError, TimeoutError) as error:
        await end(process, said)
        out, err = said.result()
        raise AssertionError(f"{error!r} {(out + err)[-5000:].decode()}") from error
    finally:
        await end(process, said)


async def end(
    process: asyncio.subprocess.Process, said: asyncio.Future[tuple[bytes, bytes]]
) -> None:
    if not said.done():
        os.killpg(process.pid, signal.SIGKILL)
        await said


def vorta() -> str:
    return tool_command(".venv-vorta", "vorta", "HIVE_TEST_VORTA")


@pytest.mark.long
async def test_vorta_backs_up_a_profile(house: House, tmp_path: Path) -> None:
    client = house.client()
    await house.user()
    await house.key(client, "laptop")
    info = await house.repository("laptop", {"laptop": Access.FULL})
    (await client.borg("init", "-e", "repokey-blake2", info.url)).must()
    source = make_files(tmp_path / "source")
    write_profile(client, info.url, source)
    client.extra_environment.update(environment(client))
    before = (await house.last_session()).id

    async def has_written() -> bool:
        session = await house.last_session()
        return session.id > before and session.operation == "create"

    async with running_vorta(client):
        asked = await client.run(vorta(), "--create", "laptop")
        asked.must()
        await until(has_written)
    listed = (await client.borg("list", "--short", info.url)).must()
    assert listed.text.split() == ["from-vorta"]
    target = tmp_path / "target"
    target.mkdir()
    (await client.borg("extract", f"{info.url}::from-vorta", cwd=target)).must()
    assert same_tree(source, target / str(source)[1:])
    assert (await catalogue.find_repository(OPERATOR, "laptop")).size_bytes
