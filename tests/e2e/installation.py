"""An installation in a directory of its own: the server as a process, and its commands."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import ordinary, schema
from tests.programs import borg_command

SECONDS = 40
PASSPHRASE = "a passphrase for tests"
_READY = re.compile(r"ready ssh=127\.0\.0\.1:(\d+) web=(http://127\.0\.0\.1:\d+)\n")

_ALL = """
import json, sys
from click.testing import CliRunner
from hive.cli.main import main
said = []
given = json.load(sys.stdin)
for words in given["commands"]:
    whole = [*sys.argv[1:], *words]
    done = CliRunner().invoke(main, whole, input=given["data"], prog_name="hive")
    if done.exit_code:
        sys.exit(f"{words} ended with {done.exit_code}: {done.output} {done.exception!r}")
    said.append(done.stdout)
print(json.dumps(said))
"""

_AT_A_PACE = """
import importlib, json, sys
for name, seconds in json.loads(sys.argv.pop(1)).items():
    module, _, attribute = name.rpartition(".")
    where = module if module.startswith("hive.") else f"hive.services.server.{module}"
    setattr(importlib.import_module(where), attribute, seconds)
from hive.__main__ import main
main()
"""
# A server that looks at itself more often: what it finds is the same, and tests wait less.
QUICK = {
    "clock_watch.LOOK_EVERY": 1.0,
    "database_watch.LOOK_EVERY": 1.0,
    "program_watch.LOOK_EVERY": 1.0,
    "program_watch._TRIAL_EVERY": 2.0,
}


@dataclass
class Installation:
    """What one data directory holds, and the server that runs on it."""

    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    server: subprocess.Popen[str] | None = None
    ssh_port: int = 0
    web_url: str = ""
    setup_url: str | None = None
    paces: dict[str, float] = field(default_factory=dict)  # see QUICK
    starts_as: str | None = None  # a program in place of hive.__main__, which calls it
    options: list[str] = field(default_factory=list)  # of `hive serve`, in place of the usual
    script: Path | None = None  # starts the server, in place of `hive serve`
    starts_empty: bool = False  # the first program that runs makes the database
    _was_prepared: bool = False

    @property
    def data(self) -> Path:
        return self.directory / "hive"

    @property
    def _database(self) -> Path:
        return self.data / "hive.sqlite3"

    def start(self, *, expect_setup: bool = False) -> None:
        """Start the server; returns when it has said that it is ready."""
        log = (self.directory / "server.log").open("a")
        hive = self._hive()
        where = hive.index("-m")
        if self.starts_as is not None:
            hive[where : where + 2] = ["-c", self.starts_as]
        elif self.paces:
            hive[where : where + 2] = ["-c", _AT_A_PACE, json.dumps(self.paces)]
        command = [*hive, "serve"]
        if self.script is not None:
            command = [str(self.script), "--data-dir", str(self.data)]
        default = ["--ssh", f"127.0.0.1:{self.ssh_port}", "--web", "127.0.0.1:0"]
        self.server = subprocess.Popen(
            [*command, *(self.options or default)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=self._environment(),
            start_new_session=True,
        )
        log.close()
        assert self.server.stdout is not None
        first = self.server.stdout.readline()
        match = _READY.fullmatch(first)
        assert match is not None, (first, self.log)
        self.ssh_port, self.web_url = int(match[1]), match[2]
        if expect_setup:
            lines = iter(self.server.stdout.readline, "")
            self.setup_url = next(line.strip() for line in lines if "/setup/" in line)

    @property
    def log(self) -> str:
        return (self.directory / "server.log").read_text()

    def signal(self, number: signal.Signals) -> None:
        assert self.server is not None
        self.server.send_signal(number)

    def wait(self) -> int:
        """The exit status of the server, which was told to stop or died."""
        assert self.server is not None
        status = self.server.wait(timeout=SECONDS)
        if self.server.stdout is not None:
            self.server.stdout.close()
        self.server = None
        return status

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def close(self) -> None:
        """Leave no process behind, however the test ended."""
        if self.server is not None:
            if self.server.poll() is None:
                os.killpg(self.server.pid, signal.SIGKILL)
            self.wait()

    def hive(self, *arguments: str, status: int = 0, data: str = "") -> str:
        """Run a command; what it printed on standard output."""
        done = self.try_hive(*arguments, data=data)
        assert done.returncode == status, (arguments, done.stdout, done.stderr, self._log_tail())
        return done.stdout

    def try_hive(self, *arguments: str, data: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._hive(), *arguments],
            input=data,
            capture_output=True,
            text=True,
            env=self._environment(),
            timeout=SECONDS,
            check=False,
        )

    def hive_all(self, *commands: Sequence[str | Path], data: str = "") -> list[str]:
        """Run commands one after the other in one process, for what only prepares a test.

        Each of them finds `data` on its standard input.
        """
        words = [[str(word) for word in command] for command in commands]
        given = json.dumps({"commands": words, "data": data})
        done = subprocess.run(
            [sys.executable, "-c", _ALL, "--data-dir", str(self.data)],
            input=given,
            capture_output=True,
            text=True,
            env=self._environment(),
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, (commands, done.stdout, done.stderr, self._log_tail())
        said: list[str] = json.loads(done.stdout)
        return said

    def start_hive(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command and go on."""
        return subprocess.Popen(
            [*self._hive(), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment(),
        )

    def json(self, *arguments: str) -> Any:
        return json.loads(self.hive(*arguments, "--json"))

    def borg(
        self, *arguments: str | Path, cwd: Path | None = None, status: int = 0, **more: str
    ) -> str:
        """Run borg 1.4 as the client; what it printed, both streams."""
        done = subprocess.run(
            [borg_command("1.4"), *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=cwd or self.directory,
            env={**self.client_environment(), **more},
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == status, (arguments, done.stdout, done.stderr, self._log_tail())
        return done.stdout + done.stderr

    def start_borg(self, *arguments: str | Path, cwd: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [borg_command("1.4"), *map(str, arguments)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=cwd,
            env=self.client_environment(),
            start_new_session=True,
        )

    def client_environment(self) -> dict[str, str]:
        key = self.directory / "id"
        if not key.exists():
            subprocess.run(
                ["/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True
            )
        options = (
            f"-F none -i {key} -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes"
            f" -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={self.directory}/known"
        )
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "LANG": "C.UTF-8",
            "BORG_BASE_DIR": str(self.directory / "borg"),
            "BORG_SELFTEST": "disabled",
            "BORG_PASSPHRASE": PASSPHRASE,
            "BORG_RSH": f"ssh {options}",
        }

    def environment_of_commands(self) -> dict[str, str]:
        """What `hive` gets beside the arguments, for a test that runs it in a shell."""
        return self._environment()

    def _hive(self) -> list[str]:
        if not (self.starts_empty or self._was_prepared or self._database.exists()):
            schema.put_database(self._database)
        self._was_prepared = True  # a database that is lost later stays lost
        return [sys.executable, "-m", "hive", "--data-dir", str(self.data)]

    def _environment(self) -> dict[str, str]:
        kept = {
            name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ
        }
        return {
            **kept,
            "LANG": "C.UTF-8",
            "HIVE_BORG__COMMAND": borg_command("1.4"),
            **ordinary.environment(),
            "HIVE_STORAGE__BALLAST": "false",  # it would be kept with what pytest keeps
            **self.environment,
        }

    def _log_tail(self) -> str:
        return self.log[-3000:] if (self.directory / "server.log").exists() else ""
