"""Uploads that try to write, read or change what is not theirs."""

from __future__ import annotations

import os
import stat

import pytest

from hive.borg.verify import NotARepository, verify
from tests.e2e.gate.files import fingerprint
from tests.e2e.gate.harness import until
from tests.e2e.gate.hostile_rsync.outside import Hostile

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device")


def named(length: int) -> str:
    """The name of a file that is disguised on its way: the last of its directory."""
    return "z" * length


async def test_a_name_in_the_list_that_leads_up_leads_nowhere(hostile: Hostile) -> None:
    transfer = hostile.transfer
    before = fingerprint(transfer.info.path)
    for name in ("../escape", "../laptop/config", "../../escape", "data/../../escape"):
        decoy = transfer.source / named(len(name))
        decoy.write_text("escaped")
        done = await hostile.push_disguised("-a", replace=[(decoy.name, name)])
        decoy.unlink()
        assert done.status != 0 or "stays staged" in done.error
        assert fingerprint(transfer.info.path) == before
        hostile.must_be_untouched(done)
        await until(transfer.house.is_quiet)


async def test_an_absolute_name_in_the_list_stays_inside(hostile: Hostile) -> None:
    name = str(hostile.outside / "open" / "config")
    (hostile.transfer.source / named(len(name))).write_text("escaped")
    done = await hostile.push_disguised("-a", replace=[(named(len(name)), name)])
    assert done.status != 0 or "stays staged" in done.error
    hostile.must_be_untouched(done)


@pytest.mark.parametrize("options", [["-rtp", "--inplace"], ["-a", "--delete", "--force"]])
async def test_nothing_passes_a_link_that_is_there_already(
    hostile: Hostile, options: list[str]
) -> None:
    """The links would have to come from elsewhere: those that rsync brings are munged."""
    transfer, source = hostile.transfer, hostile.transfer.source
    transfer.staging.mkdir(mode=0o700)
    (transfer.staging / "link").symlink_to(hostile.outside / "open")
    (transfer.staging / "data").symlink_to(hostile.outside / "open")
    (transfer.staging / "config").symlink_to(hostile.outside / "open" / "config")
    (source / "link").mkdir(mode=0o777)
    (source / "link" / "file").write_text("written through the link")
    (source / "link" / "file").chmod(0o666)
    done = await transfer.push(*options)
    hostile.must_be_untouched(done)
    assert not (transfer.staging / "data").is_symlink()


async def test_a_name_in_the_list_leads_through_no_link(hostile: Hostile) -> None:
    transfer = hostile.transfer
    transfer.staging.mkdir(mode=0o700)
    (transfer.staging / "link").symlink_to(hostile.outside / "open")
    for name in ("link/file", "link/new-file", "link/../../secret"):
        decoy = transfer.source / named(len(name))
        decoy.write_text("escaped")
        done = await hostile.push_disguised("-rtp", replace=[(decoy.name, name)])
        decoy.unlink()
        hostile.must_be_untouched(done)
        await until(transfer.house.is_quiet)


async def test_links_that_are_uploaded_lead_nowhere(hostile: Hostile) -> None:
    transfer, source = hostile.transfer, hostile.transfer.source
    (source / "absolute").symlink_to(hostile.outside / "open")
    (source / "relative").symlink_to("../../../outside/open")
    first = (await transfer.push("-a")).must(23)
    assert "is a symbolic link" in first.error
    for name in ("absolute", "relative"):
        assert str((transfer.staging / name).readlink()).startswith("/rsyncd-munged/")
        (source / name).unlink()
        (source / name).mkdir()
        (source / name / "file").write_text("written through the link")
    second = await transfer.push("-a")
    await until(transfer.house.is_quiet)
    third = await transfer.push("-rt", "--existing")
    hostile.must_be_untouched(first, second, third)


async def test_a_link_that_loses_its_mark_on_the_way_stays_a_link(hostile: Hostile) -> None:
    transfer, source = hostile.transfer, hostile.transfer.source
    disguised = "x" * len(str(hostile.outside))
    (source / "absolute").symlink_to(disguised)
    done = await hostile.push_disguised("-a", replace=[(disguised, str(hostile.outside))])
    assert str((transfer.staging / "absolute").readlink()).startswith("/rsyncd-munged/")
    hostile.must_be_untouched(done)


async def test_modes_are_ours_whatever_they_were(hostile: Hostile) -> None:
    transfer, source = hostile.transfer, hostile.transfer.source
    (source / "config").chmod(0o4777)
    (source / "README").chmod(0o2755)
    (source / "data").chmod(0o3777)
    done = (await transfer.push("-a", "--numeric-ids")).must()
    assert "is in place" in done.error
    for path in (transfer.info.path, *transfer.info.path.rglob("*")):
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.lstat().st_mode) == wanted, path
    hostile.must_be_untouched(done)


@needs_root
async def test_no_device_socket_or_pipe_is_made(hostile: Hostile) -> None:
    transfer, source = hostile.transfer, hostile.transfer.source
    os.mkfifo(source / "pipe")
    os.mknod(source / "device", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(source / "disk", stat.S_IFBLK | 0o666, os.makedev(7, 99))
    done = await transfer.push("-a")
    for path in (*transfer.staging.rglob("*"), *transfer.info.path.rglob("*")):
        assert path.is_file() or path.is_dir(), path
    hostile.must_be_untouched(done)


async def test_hard_links_are_refused_by_name(hostile: Hostile) -> None:
    transfer, source = hostile.transfer, hostile.transfer.source
    os.link(source / "data" / "0" / "2", source / "data" / "0" / "70")
    done = (await transfer.push("-aH")).must(23)
    assert "is hard-linked to another file" in done.error
    with pytest.raises(NotARepository):
        verify(transfer.staging)
    hostile.must_be_untouched(done)


@pytest.mark.parametrize("content", ["merge", "merge,-", ".", "link"])
@pytest.mark.varied(5)
async def test_filter_rules_of_a_deleting_upload_read_nothing_else(
    hostile: Hostile, content: str
) -> None:
    """Which files survive, or an error in words, would tell what a file outside holds."""
    transfer, source = hostile.transfer, hostile.transfer.source
    transfer.staging.mkdir(mode=0o700)
    for name in ("config", "README"):
        (source / name).unlink()
    for rule in (": .rsync-filter", ":- .rsync-filter"):
        told = []
        for secret in ("secret", "names"):
            for name in ("config", "README"):
                (transfer.staging / name).write_text("old")
            rules = transfer.staging / ".rsync-filter"
            rules.unlink(missing_ok=True)
            if content == "link":
                rules.symlink_to(hostile.outside / secret)
            else:
                rules.write_text(f"{content} {hostile.outside / secret}\n")
            await until(transfer.house.is_quiet)
            done = await transfer.push("-rtv", "--delete", "-f", rule, "--exclude=.rsync-filter")
            survivors = {path.name for path in transfer.staging.iterdir()} & {"config", "README"}
            told.append((done.status == 0, survivors))
            hostile.must_be_untouched(done)
        assert told[0] == told[1], rule


REFUSED = [
    "--log-file=OUTSIDE/log",
    "--log-file OUTSIDE/log",
    "-b --backup-dir OUTSIDE",
    "--backup-dir=OUTSIDE",
    "--partial-dir OUTSIDE",
    "--partial-dir=OUTSIDE",
    "--temp-dir OUTSIDE",
    "--temp-dir=OUTSIDE",
    "--copy-dest OUTSIDE",
    "--link-dest=OUTSIDE",
    "--compare-dest=OUTSIDE",
    "--keep-dirlinks",
    "--no-munge-links",
    "--insecure-links",
    "--confine-root=/",
    "--chmod=F4777",
    "--usermap=*:0",
    "--fake-super",
    "--super",
    "--write-devices",
    "--copy-devices",
    "--remote-option=--log-file=OUTSIDE/log",
    "--config=OUTSIDE/rules",
    "--daemon",
    "--sender",
    "--server",
    "--only-write-batch=OUTSIDE/batch",
    "--read-batch=OUTSIDE/secret",
    "--files-from OUTSIDE/names",
    "--password-file=OUTSIDE/secret",
    "--iconv=.",
    "--del",
    "--back",
    "--stats=1",
    "--timeout=1;id",
    "--timeout=99999999999999999999",
    "--max-alloc=0",
    "--trust-sender",
    "--debug=ALL4",
]


@pytest.mark.long
async def test_no_option_names_a_place_or_a_program(hostile: Hostile) -> None:
    transfer = hostile.transfer
    before = fingerprint(transfer.info.path)
    ssh = transfer.client.ssh
    for options in REFUSED:
        shown = options.replace("OUTSIDE", str(hostile.outside))
        done = await ssh(transfer.info.login, f"rsync --server -logDtpre.iLsfxC {shown} . .")
        assert done.status == 126, options
        assert done.error.startswith("borg-hive: rsync"), done.error
    for cluster in ("-Kre.i", "-bre.i", "-Xre.i", "-Are.i", "-Nre.i", "-Ure.i", "-Rre.i"):
        done = await ssh(transfer.info.login, f"rsync --server {cluster} . .")
        assert done.status == 126
        assert f"option -{cluster[1]} (--" in done.error
    assert fingerprint(transfer.info.path) == before
    hostile.must_be_untouched()


async def test_what_follows_the_options_is_one_dot(hostile: Hostile) -> None:
    for tail in (". . .", ". . -o", ".", "", "-- .", ". .. .", ". . --log-file=x"):
        words = f"rsync --server -logDtpre.iLsfxCIvu {tail}"
        done = await hostile.transfer.client.ssh(hostile.transfer.info.login, words)
        assert done.status == 126, tail
    hostile.must_be_untouched()
