"""A machine that has nothing yet: an empty home directory, and the programs it would have."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

from tests.programs import borg_command, tool_command

SECONDS = 60
# OpenSSH takes the home directory of the account, not HOME: these name what it would take. It asks
# nobody whether it knows a server: the page's own lines have to do.
_SSH = """\
#!/bin/sh
exec /usr/bin/ssh -F none -i "$HOME/.ssh/id_ed25519" -o IdentitiesOnly=yes -o IdentityAgent=none \\
    -o BatchMode=yes -o StrictHostKeyChecking=yes \\
    -o "UserKnownHostsFile=$HOME/.ssh/known_hosts" "$@"
"""


class FreshMachine:
    """Runs what is copied from a page, as it is, in a shell."""

    def __init__(self, directory: Path) -> None:
        self.home = directory / "home"
        self._programs = directory / "bin"
        self.home.mkdir()
        self._programs.mkdir()
        (self.home / "letter.txt").write_text("Dear reader\n" * 500)
        ssh = self._programs / "ssh"
        ssh.write_text(_SSH)
        ssh.chmod(0o755)
        (self._programs / "borg").symlink_to(borg_command("1.4"))
        borgmatic = tool_command(".venv-borgmatic", "borgmatic", "HIVE_TEST_BORGMATIC")
        (self._programs / "borgmatic").symlink_to(borgmatic)

    def run(self, commands: str) -> str:
        """Paste the commands into a new shell; what they printed."""
        done = subprocess.run(
            ["/bin/bash", "-e"],
            input=commands,
            capture_output=True,
            text=True,
            cwd=self.home,
            env=self.environment,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n--- said\n{done.stdout}{done.stderr}"
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": f"{self._programs}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "BORG_SELFTEST": "disabled",  # it takes seconds and changes nothing
        }

    def verify_units(self, unit: str) -> None:
        """Have systemd itself look at the service and the timer."""
        units = self.home / ".config/systemd/user"
        subprocess.run(
            ["systemd-analyze", "--user", "--man=no", "verify"]
            + [str(units / f"{unit}.{kind}") for kind in ("service", "timer")],
            check=True,
            env=self.environment | {"XDG_RUNTIME_DIR": str(self.home)},
            timeout=SECONDS,
        )

    def start_service(self, unit: str) -> None:
        """Run what the service would run, with the variables it sets."""
        text = (self.home / f".config/systemd/user/{unit}.service").read_text()
        text = re.sub(r"\\\n\s*", "", text).replace("%h", str(self.home))
        assert "%" not in text, "a specifier that the test does not know"
        environment, commands = dict(self.environment), []
        for line in text.splitlines():
            name, _, value = line.partition("=")
            if name == "Environment":
                (variable,) = shlex.split(value)
                key, _, content = variable.partition("=")
                environment[key] = content
            elif name == "ExecStart":
                commands.append(shlex.split(value))
        assert commands
        for command in commands:
            done = subprocess.run(command, env=environment, timeout=SECONDS, check=False)
            assert done.returncode in (0, 1), command  # SuccessExitStatus=1


def is_about_systemd(commands: str) -> bool:
    """Whether a running systemd is needed, which test machines have not."""
    return commands.startswith(("systemctl --user", "loginctl"))
