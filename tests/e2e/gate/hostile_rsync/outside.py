"""What lies outside a repository, as it was and as it is: content, modes, times, links."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.gate.harness import Done
from tests.e2e.gate.transfers import Transfer
from tests.programs import rsync_command

SECRET = "root:$6$a-secret-that-nobody-may-see"
PATIENCE = 4.0  # seconds
REMOTE_SHELL = Path(__file__).with_name("remote_shell.py")

Look = dict[str, tuple[int, int, int, int, int, bytes]]


def look(directory: Path) -> Look:
    """All that can be known of a tree; reading it changes nothing of that."""
    found = {}
    for path in (directory, *sorted(directory.rglob("*"))):
        status = path.lstat()
        content = b""
        if path.is_symlink():
            content = os.fsencode(path.readlink())
        elif path.is_file():
            content = path.read_bytes()
        found[str(path)] = (
            status.st_mode,
            status.st_mtime_ns,
            status.st_nlink,
            status.st_uid,
            status.st_size,
            content,
        )
    return found


@dataclass(frozen=True)
class Hostile:
    """A transfer whose client is no friend, and a tree that it must not touch."""

    transfer: Transfer
    outside: Path
    before: Look

    def must_be_untouched(self, *done: Done) -> None:
        """Nothing outside was changed, nothing of it was told, nothing lies beside the tree."""
        assert look(self.outside) == self.before
        for each in done:
            assert SECRET.encode() not in each.out + each.err
        home = {path.name for path in self.transfer.info.path.parent.iterdir()}
        assert home <= {"laptop", ".import"}
        assert not (self.transfer.info.path.parent.parent / "escape").exists()

    async def push_disguised(
        self,
        *options: str,
        replace: Sequence[tuple[str, str]] = (),
        words: str | None = None,
        flip: int | None = None,
    ) -> Done:
        """Push with the stock client, whose words are changed on their way."""
        client = self.transfer.client
        plan = client.directory / "plan.json"
        ssh = ["ssh", *client.ssh_options(), self.transfer.target.rstrip(":")]
        pairs = [(old.encode().hex(), new.encode().hex()) for old, new in replace]
        plan.write_text(json.dumps({"ssh": ssh, "words": words, "replace": pairs, "flip": flip}))
        shell = shlex.join([sys.executable, str(REMOTE_SHELL), str(plan)])
        source = f"{self.transfer.source}/"
        command = [rsync_command(), *options, "-e", shell, source, self.transfer.target]
        process = await client.start(*command)
        try:
            out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
        except TimeoutError:
            # Two rsyncs that wait for each other tell each other that they are alive.
            os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()
            return Done(-signal.SIGKILL, b"", b"")
        assert process.returncode is not None
        return Done(process.returncode, out, err)


def make_outside(directory: Path) -> Path:
    """Files and directories with modes and times that something could change."""
    (directory / "open").mkdir(parents=True)
    for name, text in (
        ("secret", f"{SECRET}\n"),
        ("names", "config\nREADME\n"),
        ("rules", f"- config\n{SECRET}\n"),
        ("open/file", "as it was\n"),
        ("open/config", "not this one\n"),
    ):
        path = directory / name
        path.write_text(text)
        path.chmod(0o640)
        os.utime(path, (1_100_000_000, 1_100_000_000))
    (directory / "open").chmod(0o755)
    os.utime(directory / "open", (1_200_000_000, 1_200_000_000))
    return directory
