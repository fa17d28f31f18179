"""Backups with the stock borg clients, through grants of each kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from hive.kinds import Access, EndReason
from hive.services import events
from hive.services.keys import grants
from hive.services.permissions import OPERATOR
from hive.services.repositories import catalogue, former_paths
from hive.services.sessions import config_versions
from tests.e2e.gate.files import fingerprint, make_files, noise, same_tree
from tests.e2e.gate.harness import Client, House
from tests.programs import BORG_LINES, borg_version


async def with_repository(house: House, access: Access = Access.FULL) -> tuple[Client, str]:
    """A client and the URL of a repository that its key opens with that access."""
    client = house.client()
    await house.user()
    await house.key(client, "laptop")
    made = await house.repository("laptop", {"laptop": access})
    return client, made.url


async def with_backup(house: House, tmp_path: Path, version: str = "1.4") -> tuple[Client, str]:
    """The same with full access, and one archive in it."""
    client, url = await with_repository(house)
    source = make_files(tmp_path / "source")
    (await client.borg("init", "-e", "repokey-blake2", url, version=version)).must()
    (await client.borg("create", f"{url}::one", ".", cwd=source, version=version)).must()
    return client, url


async def change_access(access: Access) -> None:
    info = await catalogue.find_repository(OPERATOR, "laptop")
    await grants.change_access(OPERATOR, info.id, grants.ChangeAccess(accesses={"laptop": access}))


@pytest.mark.parametrize("version", BORG_LINES)
async def test_a_directory_is_backed_up_and_restored_byte_for_byte(
    house: House, tmp_path: Path, version: str
) -> None:
    client, url = await with_backup(house, tmp_path, version)
    listed = (await client.borg("list", "--short", url, version=version)).must()
    assert listed.text.split() == ["one"]
    target = tmp_path / "target"
    target.mkdir()
    (await client.borg("extract", f"{url}::one", cwd=target, version=version)).must()
    assert same_tree(tmp_path / "source", target)
    (await client.borg("check", url, version=version)).must()
    session = await house.last_session()
    assert (session.end_reason, session.exit_status) == (EndReason.DONE, 0)
    assert session.operation == "check"
    assert session.borg_version == borg_version(version)
    kinds = [event.kind for event in await events.recent(OPERATOR)]
    assert {"created", "updated", "opened", "closed"} <= set(kinds)
    info = await catalogue.find_repository(OPERATOR, "laptop")
    assert info.state == "ready"
    assert info.size_bytes is not None
    assert info.size_bytes > 1_000_000


@pytest.mark.long
async def test_archives_are_deleted_pruned_and_compacted_with_full_access(
    house: House, tmp_path: Path
) -> None:
    client, url = await with_backup(house, tmp_path)
    (tmp_path / "source" / "new").write_text("new")
    for name in ("two", "three"):
        (await client.borg("create", f"{url}::{name}", ".", cwd=tmp_path / "source")).must()
    (await client.borg("delete", f"{url}::one")).must()
    (await client.borg("prune", "--keep-last", "1", url)).must()
    (await client.borg("compact", url)).must()
    assert (await client.borg("list", "--short", url)).must().text.split() == ["three"]
    (await client.borg("check", "--repair", url)).must()


@pytest.mark.long
async def test_a_whole_repository_is_deleted_and_made_again_with_full_access(
    house: House, tmp_path: Path
) -> None:
    client, url = await with_backup(house, tmp_path)
    (await client.borg("delete", url)).must()
    info = await catalogue.find_repository(OPERATOR, "laptop")
    assert info.state == "new"
    assert (await house.last_session()).operation == "delete repository"
    (await client.borg("init", "-e", "none", url)).must()
    assert (await catalogue.find_repository(OPERATOR, "laptop")).state == "ready"


@pytest.mark.parametrize("form", ["ssh-dot", "ssh-home", "ssh-absolute", "scp"])
@pytest.mark.varied(2)
async def test_every_form_of_path_leads_to_the_repository(
    house: House, tmp_path: Path, form: str
) -> None:
    client, url = await with_repository(house)
    info = await catalogue.find_repository(OPERATOR, "laptop")
    port = house.port
    config = client.directory / "ssh_config"
    config.write_text(f"Host 127.0.0.1\n  Port {port}\n")
    written = {
        "ssh-dot": url,
        "ssh-home": f"ssh://{info.login}@127.0.0.1:{port}/~/laptop",
        "ssh-absolute": f"ssh://{info.login}@127.0.0.1:{port}{info.path}",
        "scp": f"{info.login}@127.0.0.1:laptop",
    }[form]
    (await client.borg("init", "-e", "none", written)).must()
    (await client.borg("create", f"{written}::one", make_files(tmp_path / "source"))).must()
    assert (info.path / "config").exists()


async def test_the_name_of_another_repository_is_refused_with_the_url_of_this_one(
    house: House,
) -> None:
    client, url = await with_repository(house)
    other = await house.repository("nas", {"laptop": Access.FULL})
    refused = await client.borg("init", "-e", "none", url.replace("/./laptop", "/./nas"))
    assert refused.status == 2
    assert f"use {url}" in refused.error
    assert not (other.path / "config").exists()


async def test_the_name_that_people_see_opens_the_repository_too(house: House) -> None:
    client, url = await with_repository(house)
    (await client.borg("init", "-e", "none", url)).must()
    info = await catalogue.find_repository(OPERATOR, "laptop")
    await catalogue.set_repository(OPERATOR, info.id, name="old-laptop")
    (await client.borg("list", url)).must()
    (await client.borg("list", url.replace("/./laptop", "/./old-laptop"))).must()


@pytest.mark.long
async def test_a_path_below_the_repository_never_deletes_it(house: House, tmp_path: Path) -> None:
    client, url = await with_backup(house, tmp_path)
    info = await catalogue.find_repository(OPERATOR, "laptop")
    await former_paths.set_strict(OPERATOR, info.id, strict=False)
    for path in (f"{url}/sub/test", url.replace("/./laptop", "/./sub/test")):
        refused = await client.borg("delete", path)
        assert refused.status != 0
        assert url in refused.error
    assert (await client.borg("list", "--short", url)).must().text.split() == ["one"]


@pytest.mark.long
async def test_a_former_path_opens_an_old_repository_and_is_recorded(
    house: House, tmp_path: Path
) -> None:
    client, url = await with_backup(house, tmp_path)
    info = await catalogue.find_repository(OPERATOR, "laptop")
    former = url.replace("/./laptop", "/./docs")
    await former_paths.set_strict(OPERATOR, info.id, strict=False)
    for name in ("two", "three"):
        done = await client.borg("create", f"{former}::{name}", ".", cwd=tmp_path / "source")
        assert done.must().error.count(f"will be refused some day: use {url}") == 1
    (recorded,) = await former_paths.list_former_paths(OPERATOR, info.id)
    assert (recorded.path, recorded.key_name, recorded.uses) == ("/./docs", "laptop", 2)
    await former_paths.set_strict(OPERATOR, info.id)
    refused = await client.borg("list", former)
    assert refused.status != 0
    assert f"use {url}" in refused.error
    assert await former_paths.list_former_paths(OPERATOR, info.id) == []


@pytest.mark.long
async def test_append_only_adds_archives_but_frees_nothing(house: House, tmp_path: Path) -> None:
    client, url = await with_backup(house, tmp_path)
    await change_access(Access.APPEND_ONLY)
    info = await catalogue.find_repository(OPERATOR, "laptop")
    segments = {path for path in (info.path / "data").rglob("*") if path.is_file()}
    source = tmp_path / "source"
    (await client.borg("create", f"{url}::two", ".", cwd=source)).must()
    (await client.borg("delete", f"{url}::one")).must()
    (await client.borg("compact", url)).must()
    assert segments <= set((info.path / "data").rglob("*"))
    assert (info.path / "transactions").exists()
    destroyed = await client.borg("delete", url)
    assert destroyed.status != 0
    assert (info.path / "config").exists()
    (await client.borg("check", url)).must()


@pytest.mark.long
async def test_a_key_that_a_client_overwrites_is_kept(house: House, tmp_path: Path) -> None:
    client, url = await with_backup(house, tmp_path)
    info = await catalogue.find_repository(OPERATOR, "laptop")
    before = (info.path / "config").read_bytes()
    change = ["key", "change-passphrase", url]
    (await client.borg(*change, BORG_NEW_PASSPHRASE="another passphrase")).must()
    versions = await config_versions.list_versions(OPERATOR, info.id)
    assert [version.content for version in versions] == [
        (info.path / "config").read_bytes(),
        before,
    ]
    await change_access(Access.APPEND_ONLY)
    refused = await client.borg(*change, BORG_PASSPHRASE="another passphrase")
    assert "append-only for this key: changing its key is refused" in refused.error
    assert refused.status != 0


@pytest.mark.parametrize("version", BORG_LINES)
async def test_read_only_reads_everything(house: House, tmp_path: Path, version: str) -> None:
    client, url = await with_backup(house, tmp_path, version)
    await change_access(Access.READ_ONLY)
    info = await catalogue.find_repository(OPERATOR, "laptop")
    before = fingerprint(info.path)
    target = tmp_path / "target"
    target.mkdir()
    for arguments in (
        ["list", url],
        ["info", f"{url}::one"],
        ["check", url],
        ["extract", f"{url}::one"],
    ):
        (await client.borg(*arguments, cwd=target, version=version)).must()
    assert same_tree(tmp_path / "source", target)
    assert fingerprint(info.path) == before


@pytest.mark.long
@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "URL::two", "."],
        ["delete", "URL::one"],
        ["delete", "URL"],
        ["prune", "--keep-last", "1", "URL"],
        ["compact", "URL"],
        ["break-lock", "URL"],
        ["key", "change-passphrase", "URL"],
        ["check", "--repair", "URL"],
    ],
    ids=lambda arguments: "-".join(arguments[:2]).replace("URL::", ""),
)
async def test_read_only_changes_not_one_byte(
    house: House, tmp_path: Path, arguments: list[str]
) -> None:
    client, url = await with_backup(house, tmp_path)
    (await client.borg("create", f"{url}::again", tmp_path / "source")).must()
    await change_access(Access.READ_ONLY)
    info = await catalogue.find_repository(OPERATOR, "laptop")
    before = fingerprint(info.path)
    done = await client.borg(
        *[argument.replace("URL", url) for argument in arguments],
        cwd=tmp_path / "source",
        BORG_NEW_PASSPHRASE="another passphrase",
    )
    assert done.status == 2
    assert "read-only" in done.error
    assert "Traceback" not in done.error
    assert fingerprint(info.path) == before


async def test_read_only_access_does_not_create_the_repository(house: House) -> None:
    client, url = await with_repository(house, Access.READ_ONLY)
    done = await client.borg("init", "-e", "none", url)
    assert done.status == 2
    assert "not created yet" in done.error
    assert "Connection closed" not in done.error


async def test_append_only_access_creates_a_repository_only_where_there_is_none(
    house: House,
) -> None:
    client, url = await with_repository(house, Access.APPEND_ONLY)
    (await client.borg("init", "-e", "repokey", url)).must()
    info = await catalogue.find_repository(OPERATOR, "laptop")
    before = fingerprint(info.path)
    again = await client.borg("init", "-e", "repokey", url)
    assert again.status == 2
    assert "Traceback" not in again.error
    assert fingerprint(info.path) == before


async def test_a_backup_over_the_quota_is_refused_in_words(house: House, tmp_path: Path) -> None:
    client, url = await with_repository(house)
    info = await catalogue.find_repository(OPERATOR, "laptop")
    await catalogue.set_repository(OPERATOR, info.id, quota_bytes=10_000_000)
    (await client.borg("init", "-e", "none", url)).must()
    source = tmp_path / "source"
    source.mkdir()
    (source / "big").write_bytes(noise(15_000_000))
    done = await client.borg("create", f"{url}::one", ".", cwd=source)
    assert done.status == 2
    assert "quota" in done.error.lower()


async def test_status_tells_people_and_programs(house: House, tmp_path: Path) -> None:
    client, url = await with_backup(house, tmp_path)
    info = await catalogue.find_repository(OPERATOR, "laptop")
    for command in ([], ["status"]):
        told = (await client.ssh(info.login, *command)).must()
        assert "Repository laptop: ready." in told.text
        assert url in told.text
    values = (await client.ssh(info.login, "status", "--json")).must()
    assert '"access": "full"' in values.text
    other = (await client.ssh(info.login, "ls", "-l")).must(126)
    assert other.out == b""
    assert "borg serve" in other.error


@pytest.mark.long
@pytest.mark.parametrize("version", BORG_LINES)
async def test_a_backup_that_asks_for_statistics_is_a_backup(
    house: House, tmp_path: Path, version: str
) -> None:
    client, url = await with_repository(house)
    source = make_files(tmp_path / "source")
    (await client.borg("init", "-e", "repokey-blake2", url, version=version)).must()
    for name in ("first", "again"):  # it reads what it has just written
        made = await client.borg(
            "create", "--json", "--list", f"{url}::{name}", ".", cwd=source, version=version
        )
        made.must()
        session = await house.last_session()
        assert (session.operation, session.archive_created) == ("create", "yes")
