"""Exports with a stock rsync client, and every option, path and way that is refused."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from hive.kinds import Access, EndReason, Mode
from hive.services.keys import grants
from hive.services.permissions import OPERATOR
from tests.e2e.gate.files import content, fingerprint
from tests.e2e.gate.harness import House, until
from tests.e2e.gate.test_endings import hold_lock, is_locked, leave
from tests.e2e.gate.transfers import Transfer, prepare, statistics
from tests.programs import rsync_command


async def exported(house: House, source: Path, access: Access = Access.FULL) -> Transfer:
    return await prepare(house, source, mode=Mode.EXPORT, access=access, filled=True)


@pytest.mark.parametrize(
    "options",
    [
        ["-a"],
        ["-avz", "--stats", "--progress", "--partial"],
        ["-Paz", "--stats", "--protocol=30"],
        ["-aH", "--inplace", "--delete"],
        ["-a", "--checksum", "--info=progress2"],
    ],
    ids=" ".join,
)
async def test_an_export_is_the_same_to_the_byte(
    house: House, source: Path, tmp_path: Path, options: list[str]
) -> None:
    transfer = await exported(house, source)
    target = tmp_path / "target"
    (await transfer.pull(target, *options)).must()
    assert fingerprint(target) == fingerprint(source)
    session = await house.last_session()
    assert (session.operation, session.end_reason) == ("export", EndReason.DONE)


async def test_a_read_only_key_exports_a_repository_that_borg_can_use(
    house: House, source: Path, tmp_path: Path
) -> None:
    transfer = await exported(house, source, Access.READ_ONLY)
    target = tmp_path / "target"
    (await transfer.pull(target)).must()
    again = (await transfer.pull(target, "-a", "--stats")).must()
    assert statistics(again)["Total transferred file size"] == 0
    listed = (await transfer.borg("list", "--short", target)).must()
    assert listed.text.split() == ["one", "two"]
    (await transfer.borg("check", target)).must()


async def test_an_append_only_key_exports_nothing(
    house: House, source: Path, tmp_path: Path
) -> None:
    transfer = await exported(house, source, Access.APPEND_ONLY)
    done = await transfer.pull(tmp_path / "target")
    assert done.status != 0
    assert "append-only access to laptop: an export needs" in done.error


async def test_a_repository_that_is_not_there_says_so(
    house: House, source: Path, tmp_path: Path
) -> None:
    transfer = await prepare(house, source, mode=Mode.EXPORT)
    done = await transfer.pull(tmp_path / "target")
    assert done.status != 0
    assert "laptop is not created yet" in done.error


async def test_a_borg_session_ends_before_an_export_begins(
    house: House, source: Path, tmp_path: Path
) -> None:
    transfer = await prepare(house, source, mode=Mode.BORG, filled=True)
    holder = await hold_lock(transfer.client)
    switching = asyncio.ensure_future(transfer.switch(Mode.EXPORT))
    assert "this session was ended: Repository laptop is in mode EXPORT" in await leave(holder)
    await switching
    assert not is_locked(transfer.info.path)
    (await transfer.pull(tmp_path / "target")).must()
    assert fingerprint(tmp_path / "target") == fingerprint(source)


@pytest.mark.long
async def test_an_export_that_was_cut_off_is_resumed(
    house: House, source: Path, tmp_path: Path
) -> None:
    transfer = await exported(house, source)
    client, target = transfer.client, tmp_path / "target"
    command = [rsync_command(), "-a", "--inplace", "--bwlimit=600", "-e", client.remote_shell]
    process = await client.start(*command, transfer.target, target)

    async def under_way() -> bool:
        return sum(path.stat().st_size for path in target.rglob("*")) > 1_300_000

    await until(under_way)
    process.kill()
    await process.communicate()
    await until(house.is_quiet)
    again = (await transfer.pull(target, "-a", "--inplace", "--stats")).must()
    assert statistics(again)["Literal data"] < 1_700_000
    assert fingerprint(target) == fingerprint(source)


async def test_a_grant_that_is_lowered_ends_the_export(
    house: House, source: Path, tmp_path: Path
) -> None:
    transfer = await exported(house, source)
    client = transfer.client
    command = [rsync_command(), "-a", "--bwlimit=300", "-e", client.remote_shell]
    process = await client.start(*command, transfer.target, tmp_path / "target")
    await until(house.has_running)
    await grants.change_access(
        OPERATOR, transfer.info.id, grants.ChangeAccess(accesses={"laptop": Access.APPEND_ONLY})
    )
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert b"this session was ended" in err
    assert process.returncode not in {0, None}


HINT = "add --no-secluded-args"


REACHING_FURTHER = [
    (["-as"], HINT),
    (["-a", "--secluded-args"], HINT),
    (["-a", "--protect-args"], HINT),
    (["-a", "--remove-source-files"], "option --remove-source-files is not allowed"),
    (["-aL"], "option -L (--copy-links) is not allowed"),
    (["-ak"], "option -k (--copy-dirlinks) is not allowed"),
    (["-aR"], "option -R (--relative) is not allowed"),
    (["-aX"], "option -X (--xattrs) is not allowed"),
    (["-aA"], "option -A (--acls) is not allowed"),
    (["-a", "--files-from=:/etc/passwd"], "is not allowed"),
    (["-a", "-M--log-file=LOG"], "option --log-file is not allowed"),
    (["-a", "-M--confine-root=/"], "option --confine-root is not allowed"),
    (["-a", "-M--insecure-links"], "option --insecure-links is not allowed"),
    (["-a", "-M--delete"], "option --delete is not allowed"),
    (["-a", "--rsync-path=rsync --config=/etc/x"], "rsync runs here only as the other end"),
    (["-a", "--rsync-path=sh -c id; rsync"], "No shell runs here"),
]


async def test_an_option_that_reaches_further_is_refused_by_name(
    house: House, source: Path, tmp_path: Path
) -> None:
    transfer = await exported(house, source)
    for options, words in REACHING_FURTHER:
        given = [option.replace("LOG", str(tmp_path / "log")) for option in options]
        done = await transfer.pull(tmp_path / "target", *given)
        assert done.status != 0, options
        assert words in done.error
    assert not any((tmp_path / "target").rglob("*"))
    assert not (tmp_path / "log").exists()
    assert fingerprint(transfer.info.path) == fingerprint(source)


async def test_the_hint_for_secluded_arguments_helps(
    house: House, source: Path, tmp_path: Path
) -> None:
    transfer = await exported(house, source)
    secluded = {"RSYNC_PROTECT_ARGS": "1"}
    done = await transfer.pull(tmp_path / "target", **secluded)
    assert done.status != 0
    assert HINT in done.error
    for hint in ("--no-secluded-args", "--no-protect-args", "--no-s"):
        (await transfer.pull(tmp_path / hint, "-a", hint, **secluded)).must()
        assert fingerprint(tmp_path / hint) == fingerprint(source)


async def test_the_repository_itself_is_the_only_path(
    house: House, source: Path, tmp_path: Path
) -> None:
    transfer = await exported(house, source)
    others = ["sub", "/etc", "../x", "..", "data/", "./data", "~root", ". /etc"]
    # A client that asked for the directory `~` would refuse its content.
    for path in [*others, "~"]:
        pulled = await transfer.pull(tmp_path / "target", path=path)
        assert pulled.status != 0, path
        assert "rsync takes one path here, LOGIN@HOST: for the repository itself" in pulled.error
    assert not any((tmp_path / "target").rglob("*"))
    await transfer.switch(Mode.IMPORT)
    for path in others:
        pushed = await transfer.client.rsync("-a", f"{source}/", f"{transfer.target}{path}")
        assert pushed.status != 0, path
        assert "rsync takes one path here" in pushed.error


async def test_the_root_goes_by_several_names(house: House, source: Path, tmp_path: Path) -> None:
    transfer = await exported(house, source)
    for number, path in enumerate(["", ".", "./", "/", "~/"]):
        target = tmp_path / f"target{number}"
        (await transfer.pull(target, path=path)).must()
        assert fingerprint(target) == fingerprint(source)


async def test_a_daemon_is_not_here(house: House, source: Path, tmp_path: Path) -> None:
    transfer = await exported(house, source)
    module = f"{transfer.info.login}@127.0.0.1::module"
    done = await transfer.client.rsync("-a", module, tmp_path / "target")
    assert done.status != 0
    assert "option --daemon is not allowed here" in done.error


OLD_PUSH = "rsync --server -logDtpre.iLsfxC . ."  # as rsync 3.1.3 says it
OLD_PULL = "rsync --server --sender -logDtpre.iLsfxC . ."


async def test_the_command_lines_of_old_clients_work(
    house: House, source: Path, tmp_path: Path
) -> None:
    transfer = await exported(house, source)
    shell = tmp_path / "old-shell"
    ssh = " ".join(transfer.client.ssh_options())
    # the stock client speaks, an old one's words are sent
    shell.write_text(
        '#!/bin/sh\ncase "$*" in *--sender*) W="$PULL";; *) W="$PUSH";; esac\n'
        f'exec ssh {ssh} {transfer.info.login}@127.0.0.1 "$W"\n'
    )
    shell.chmod(0o700)
    words = {"PUSH": OLD_PUSH, "PULL": OLD_PULL}

    async def rsync(*arguments: str | Path) -> None:
        command = [rsync_command(), "-logDtpr", "--protocol=30", "-e", str(shell), *arguments]
        (await transfer.client.run(*command, **words)).must()  # type: ignore[arg-type]

    await rsync("host:", tmp_path / "target")
    assert fingerprint(tmp_path / "target") == fingerprint(source)
    assert (await house.last_session()).command == OLD_PULL
    await transfer.switch(Mode.IMPORT)
    (source / "README").write_text("newer\n")
    await rsync(f"{source}/", "host:")
    assert content(transfer.info.path) == content(source)
    assert (await house.last_session()).command == OLD_PUSH


async def test_modes_and_times_of_files_are_kept(
    house: House, source: Path, tmp_path: Path
) -> None:
    transfer = await exported(house, source)
    os.utime(transfer.info.path / "config", (1_000_000_000, 1_000_000_000))
    (await transfer.pull(tmp_path / "target")).must()
    assert (tmp_path / "target" / "config").stat().st_mtime == 1_000_000_000
