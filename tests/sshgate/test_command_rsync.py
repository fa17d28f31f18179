"""What a real rsync client sends, both ways."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sshgate.command import CommandRefused, Rsync, parse
from tests.programs import rsync_command


@pytest.fixture
def sent(tmp_path: Path) -> Sent:
    return Sent(tmp_path)


class Sent:
    """Runs a client against a remote shell that only writes down what it is asked to run."""

    def __init__(self, directory: Path) -> None:
        self._record = directory / "record"
        self._shell = directory / "shell"
        self._shell.write_text('#!/bin/sh\nshift\nprintf "%s" "$*" >"$RECORD"\nexit 1\n')
        self._shell.chmod(0o700)
        self._source = directory / "source"
        self._source.mkdir()

    def __call__(self, options: str, *, sending: bool) -> str:
        local = f"{self._source}/"
        ends = ["host:", local] if sending else [local, "host:"]
        environment = {"PATH": os.environ["PATH"], "RECORD": str(self._record)}
        subprocess.run(
            [rsync_command(), "-e", str(self._shell), *options.split(), *ends],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=20,
            check=False,
        )
        return self._record.read_text()


@pytest.mark.parametrize("sending", [False, True], ids=["push", "pull"])
@pytest.mark.parametrize(
    "options",
    [
        "-a",
        "-avz --stats --progress --partial",
        "-Paz --stats",
        "-aH --numeric-ids --delete",
        "-rtW --inplace --timeout=60 --bwlimit=1000",
        "-ani",
        "-a --info=progress2",
        "-a --info=all",
        "-a --compress-choice=zstd --compress-level=3",
        "-az --compress-choice=zlib",
        "-a --checksum",
        "-ac --checksum-choice=xxh64",
        "-a --append",
        "-a --append-verify",
        "-a --delete-after --ignore-errors",
        "-a --delete-delay --delete-excluded --exclude=x",
        "-a --delete --max-delete=3 --force",
        "-aS --delay-updates --fsync",
        "-a --max-size=1G --min-size=1k --modify-window=1",
        "-a --ignore-existing --existing",
        "-auxq --size-only",
        "-aIOJEmh --no-o --no-g --no-inc-recursive",
        "-a --block-size=4096 --checksum-seed=5",
        "-a --stderr=all --msgs2stderr",
        "-a --old-args --chmod=D700 --filter=:s_.x --log-file=/dev/null",
    ],
)
def test_usual_options_pass(sent: Sent, options: str, sending: bool) -> None:
    request = parse(sent(options, sending=sending))
    assert isinstance(request, Rsync)
    assert request.sending is sending


def test_a_listing_passes(sent: Sent) -> None:
    assert isinstance(parse(sent("--list-only", sending=True)), Rsync)


@pytest.mark.parametrize(
    ("options", "sending", "says"),
    [
        ("-s -a", False, "--no-secluded-args"),
        ("-s -a", True, "--no-secluded-args"),
        ("-aL", True, "--copy-links"),
        ("-ak", True, "--copy-dirlinks"),
        ("-aK", False, "--keep-dirlinks"),
        ("-aR", False, "--relative"),
        ("-aA", False, "--acls"),
        ("-aX", True, "--xattrs"),
        ("-ab", False, "--backup"),
        ("-aU", False, "--atimes"),
        ("-a --partial-dir=.p", False, "--partial-dir"),
        ("-a --backup-dir=/x", True, "--backup"),
        ("-a --link-dest=/x", False, "--link-dest"),
        ("-a --temp-dir=/tmp", False, "--temp-dir"),
        ("-r --files-from=:/etc/passwd", True, "--relative"),
        ("-a --remove-source-files", True, "--remove-source-files"),
        ("-a --usermap=0:1", False, "--usermap"),
        ("-a --super", False, "--super"),
        ("-a --write-devices", False, "--write-devices"),
        ("-a --copy-unsafe-links", True, "--copy-unsafe-links"),
        ("-a -M--log-file=/x", True, "--log-file"),
    ],
)
def test_dangerous_options_are_refused_by_name(
    sent: Sent, options: str, sending: bool, says: str
) -> None:
    command = sent(options, sending=sending)
    with pytest.raises(CommandRefused, match=says):
        parse(command)
