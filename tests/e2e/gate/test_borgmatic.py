"""Backups with borgmatic, which runs the borg of the machine it is on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hive.kinds import Access
from hive.services.keys import grants
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue
from tests.e2e.gate.files import make_files, same_tree
from tests.e2e.gate.harness import PASSPHRASE, Client, Done, House
from tests.programs import borg_command, tool_command


def configure(client: Client, url: str, source: Path) -> Path:
    """The machine's config.yaml; what is JSON is YAML too."""
    config = client.directory / "borgmatic.yaml"
    ssh = client.environment()["BORG_RSH"]
    values = {
        "repositories": [{"path": url, "label": "hive"}],
        "source_directories": [source.name],
        "working_directory": str(source.parent),
        "local_path": borg_command("1.4"),
        "ssh_command": ssh,
        "encryption_passphrase": PASSPHRASE,
        "archive_name_format": "{now:%Y-%m-%dT%H:%M:%S.%f}",
        "match_archives": "sh:*",
        "keep_daily": 1,
        "checks": [{"name": "repository"}, {"name": "archives"}],
    }
    config.write_text(json.dumps(values, indent=2))
    return config


async def borgmatic(client: Client, config: Path, *arguments: str, cwd: Path | None = None) -> Done:
    program = tool_command(".venv-borgmatic", "borgmatic", "HIVE_TEST_BORGMATIC")
    # its own settings count, not what the environment says to borg
    return await client.run(
        program,
        "--config",
        config,
        *arguments,
        cwd=cwd,
        BORG_RSH="/bin/false",
        BORG_PASSPHRASE="wrong",
    )


async def with_repository(house: House, tmp_path: Path) -> tuple[Client, str, Path]:
    client = house.client()
    await house.user()
    await house.key(client, "laptop")
    info = await house.repository("laptop", {"laptop": Access.FULL})
    return client, info.url, configure(client, info.url, make_files(tmp_path / "source"))


async def change_access(access: Access) -> None:
    info = await catalogue.find_repository(OPERATOR, "laptop")
    await grants.change_access(OPERATOR, info.id, grants.ChangeAccess(accesses={"laptop": access}))


async def archives(client: Client, url: str) -> list[str]:
    return (await client.borg("list", "--short", url)).must().text.split()


@pytest.mark.long
async def test_borgmatic_creates_prunes_compacts_checks_and_restores(
    house: House, tmp_path: Path
) -> None:
    client, url, config = await with_repository(house, tmp_path)
    (await borgmatic(client, config, "repo-create", "--encryption", "repokey-blake2")).must()
    (await borgmatic(client, config, "create")).must()
    (first,) = await archives(client, url)
    (tmp_path / "source" / "new").write_text("new")
    (await borgmatic(client, config, "create", "prune", "compact", "check")).must()
    (second,) = await archives(client, url)
    assert first < second
    target = tmp_path / "target"
    target.mkdir()
    (await borgmatic(client, config, "extract", "--archive", "latest", cwd=target)).must()
    # borgmatic puts its own configuration beside what it was told to back up
    assert same_tree(tmp_path / "source", target / "source")


@pytest.mark.long
async def test_borgmatic_backs_up_with_an_append_only_key(house: House, tmp_path: Path) -> None:
    client, url, config = await with_repository(house, tmp_path)
    await change_access(Access.APPEND_ONLY)
    create = ["repo-create", "--encryption", "repokey-blake2"]
    await change_access(Access.READ_ONLY)
    refused = await borgmatic(client, config, *create)
    assert refused.status != 0
    assert "Repository laptop is not created yet" in refused.text + refused.error
    await change_access(Access.APPEND_ONLY)
    (await borgmatic(client, config, *create)).must()
    (await borgmatic(client, config, "create")).must()
    assert len(await archives(client, url)) == 1
