"""A reader who follows a page: types its commands in order, in a shell of their own home."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.docs.blocks import Block
from tests.e2e.installation import PASSPHRASE, Installation
from tests.programs import borg_command, rsync_command

SECONDS = 240
LOGIN, SESSION, HOST = "k3v9x2ab", "4711", "hive.example.org"
_TOKEN_URL = re.compile(r"/ping/(\w[\w-]+)")
_SESSION = re.compile(rf"\b{SESSION}\b")
_ALARM = re.compile(r"(?<=hive alarm answer )\d+")
_FINGERPRINT = "SHA256:..."
PUBLIC_KEY = ".ssh/id_ed25519.pub"

# What a guide takes for granted: an administrator, Alice, her key and her repository with a backup.
BEGINNING = [
    ["location", "set", "default", "--host", HOST],
    ["user", "add", "ada", "--admin"],
    ["user", "add", "alice", "--email", "alice@example.org"],
    ["key", "add", "laptop", "--owner", "alice", PUBLIC_KEY],
    ["repo", "add", "documents", "--owner", "alice", "--key", "laptop"],
]
FIRST_BACKUP = """
export BORG_REPO=ssh://k3v9x2ab@hive.example.org:2222/./documents
borg init --encryption=repokey-blake2
borg create ::first ~/Documents
"""

# What a page names and this machine has elsewhere: the server's host and ports.
_WRAPPER = """\
#!{python}
import os, sys
words = [one.replace("https://hive.example.org", {web!r}) for one in sys.argv[1:]]
words = [{port!r} if one == "2222" else one.replace("-p 2222 ", "-p {port} ") for one in words]
os.execv({program!r}, [{program!r}, *{options!r}, *words])
"""
_SSH_CONFIG = """\
Host *
    HostName 127.0.0.1
    IdentityFile {home}/.ssh/id_ed25519
    IdentitiesOnly yes
    IdentityAgent none
    BatchMode yes
    StrictHostKeyChecking accept-new
    UserKnownHostsFile {home}/.ssh/known_hosts
"""


class Reader:
    """Runs the blocks of one page; environment and directory pass from one block to the next."""

    def __init__(self, installation: Installation, directory: Path) -> None:
        self.installation = installation
        self.home = directory / "home"
        self._state = directory / "state.sh"
        self._token = "TOKEN"
        self._login = ""
        self._programs = self.home / "bin"
        self._make_home()

    def follow(self, block: Block) -> str:
        """Run a block; what it printed. A command that fails ends it."""
        done = self._run(self._real(block.text))
        said = f"{block.place}\n{block.text}\n--- said\n{done.stdout}{done.stderr}"
        assert done.returncode == 0, f"{said}--- ended with {done.returncode}"
        if found := _TOKEN_URL.search(done.stdout):
            self._token = found[1]
        return done.stdout

    def begin(self) -> None:
        """Make what a guide takes for granted."""
        key = str(self.home / PUBLIC_KEY)
        words = [[key if one == PUBLIC_KEY else one for one in line] for line in BEGINNING]
        self.installation.hive_all(*words)
        done = self._run(self._real(FIRST_BACKUP))
        assert done.returncode == 0, (done.stdout, done.stderr)

    def _run(self, commands: str) -> subprocess.CompletedProcess[str]:
        script = "\n".join(
            [
                "set -euo pipefail",
                f"[[ ! -e {self._state} ]] || . {self._state}",
                commands,
                f"{{ export -p; printf 'cd %q\\n' \"$PWD\"; }} >{self._state}",
            ]
        )
        return subprocess.run(
            ["/bin/bash", "-c", script],
            capture_output=True,
            text=True,
            cwd=self.home,
            env=self._environment(),
            timeout=SECONDS,
            check=False,
        )

    def _real(self, text: str) -> str:
        """The text with the names of the page replaced by those of this installation."""
        if LOGIN in text:
            self._login = self._login or self._json("repo", "show", "documents")["login"]
            text = text.replace(LOGIN, self._login)
        if _SESSION.search(text):
            sessions = self._json("session", "list", "--repo", "documents")
            backups = [one["id"] for one in sessions if one["archive_created"] == "yes"]
            text = _SESSION.sub(str(backups[0]), text)
        if _ALARM.search(text):
            open_alarms = self._json("alarm", "list")
            text = _ALARM.sub(str(open_alarms[0]["id"]), text)
        if _FINGERPRINT in text:
            text = text.replace(_FINGERPRINT, self._json("key", "show", "laptop")["fingerprint"])
        return text.replace("/ping/TOKEN", f"/ping/{self._token}")

    def _json(self, *words: str) -> Any:
        return self.installation.json(*words)

    def _environment(self) -> dict[str, str]:
        return {
            **self.installation.environment_of_commands(),
            "HOME": str(self.home),
            "HIVE_DATA_DIR": str(self.installation.data),
            "PATH": f"{self._programs}:{os.environ['PATH']}",
            "BORG_BASE_DIR": str(self.home),
            "BORG_SELFTEST": "disabled",
            "BORG_PASSPHRASE": PASSPHRASE,
            "BORG_DELETE_I_KNOW_WHAT_I_AM_DOING": "YES",
        }

    def _make_home(self) -> None:
        ssh = self.home / ".ssh"
        ssh.mkdir(parents=True, mode=0o700)
        self._programs.mkdir()
        for name in ("id_ed25519", "id_server"):
            subprocess.run(
                ["/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", ssh / name],
                check=True,
            )
        (ssh / "config").write_text(_SSH_CONFIG.format(home=self.home))
        documents = self.home / "Documents"
        documents.mkdir()
        for number in range(20):
            (documents / f"letter-{number}.txt").write_text(f"Dear reader {number}\n" * 500)
        self._wrap("ssh", "/usr/bin/ssh", "-F", str(ssh / "config"))
        self._wrap("borg", borg_command("1.4"))
        self._wrap("rsync", rsync_command())
        self._wrap("curl", "/usr/bin/curl")
        hive = [sys.executable, "-m", "hive", "--data-dir", str(self.installation.data)]
        self._wrap("hive", hive[0], *hive[1:])

    def _wrap(self, name: str, program: str, *options: str) -> None:
        file = self._programs / name
        file.write_text(
            _WRAPPER.format(
                python=sys.executable,
                web=self.installation.web_url,
                port=str(self.installation.ssh_port),
                program=program,
                options=list(options),
            )
        )
        file.chmod(0o755)

    def become_the_checkout(self) -> None:
        """The page begins in a checkout: `.venv/bin` and `data` are where it expects them."""
        (self.home / ".venv").mkdir()
        (self.home / ".venv" / "bin").symlink_to(self._programs)
        (self.home / "data").symlink_to(self.installation.data)
