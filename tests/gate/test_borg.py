"""Backups with the stock borg clients."""

from __future__ import annotations

import filecmp
from pathlib import Path

import pytest

from hive.kinds import Access, EndReason
from hive.services import events, repositories
from hive.services.permissions import OPERATOR
from tests.gate.harness import Client, House


def make_files(directory: Path) -> Path:
    directory.mkdir(parents=True)
    (directory / "text").write_text("hello\n" * 1000)
    (directory / "random").write_bytes(bytes(range(256)) * 4096)
    (directory / "deep").mkdir()
    (directory / "deep" / "empty").touch()
    return directory


def same_tree(left: Path, right: Path) -> bool:
    compared = filecmp.dircmp(left, right)
    if compared.left_only or compared.right_only or compared.funny_files:
        return False
    _, mismatch, errors = filecmp.cmpfiles(left, right, compared.common_files, shallow=False)
    return not mismatch and not errors and all(
        same_tree(left / name, right / name) for name in compared.common_dirs
    )


async def with_repository(house: House, access: Access = Access.FULL) -> tuple[Client, str, str]:
    """A client whose key has that access; returns it, the login and the URL."""
    client = house.client()
    await house.user()
    await house.key(client, "laptop")
    made = await house.repository("laptop", {"laptop": access})
    return client, made.login, made.url


@pytest.mark.parametrize("version", ["1.2", "1.4"])
async def test_a_directory_is_backed_up_and_restored_byte_for_byte(
    house: House, tmp_path: Path, version: str
) -> None:
    client, _, url = await with_repository(house)
    source = make_files(tmp_path / "source")
    (await client.borg("init", "-e", "repokey-blake2", url, version=version)).must()
    (await client.borg("create", f"{url}::one", ".", cwd=source, version=version)).must()
    listed = (await client.borg("list", "--short", url, version=version)).must()
    assert listed.text.split() == ["one"]
    target = tmp_path / "target"
    target.mkdir()
    (await client.borg("extract", f"{url}::one", cwd=target, version=version)).must()
    assert same_tree(source, target)
    (await client.borg("check", url, version=version)).must()
    session = await house.last_session()
    assert session.end_reason == EndReason.DONE
    assert session.exit_status == 0
    assert session.operation == "read"
    kinds = [event.kind for event in await events.recent(OPERATOR)]
    assert {"created", "updated", "opened", "closed"} <= set(kinds)
    info = (await repositories.list_repositories(OPERATOR))[0]
    assert info.state == "ready"
    assert info.size_bytes
