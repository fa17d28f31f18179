"""Where the real programs are that some tests talk to; one that is missing is a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent

# Each run tries the newest borg 1; the long set tries the distribution's as well.
BORG_LINES = [pytest.param("1.2", marks=pytest.mark.long), "1.4"]


class ProgramMissingError(AssertionError):
    pass


def borg_commands() -> dict[str, str]:
    """Return the path of each borg that tests run with, by release line."""
    return {"1.2": borg_command("1.2"), "1.4": borg_command("1.4")}


def borg_command(line: str) -> str:
    """Return the path of the borg of one release line, "1.1", "1.2", "1.4" or "2".

    "1.2" is the borg of the distribution, which newer ones have in a newer version.
    """
    if line == "1.2":
        return _found("borg 1.2", "HIVE_TEST_BORG_12", shutil.which("borg"))
    number = line.replace(".", "")
    return tool_command(f".venv-borg{number}", "borg", f"HIVE_TEST_BORG_{number}")


def has_borg_11() -> bool:
    """Whether borg 1.1 could be built: it is older than the newest Pythons."""
    return (CHECKOUT / ".venv-borg11/bin/borg").exists()


def borg_version(line: str) -> str:
    """Return what the borg of one release line says of its version, such as "1.4.5"."""
    command = [borg_command(line), "--version"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]


def tool_command(environment: str, name: str, variable: str) -> str:
    """Return a program of one of the environments that script/test makes in the checkout."""
    return _found(name, variable, str(CHECKOUT / environment / "bin" / name))


def rsync_command() -> str:
    return _found("rsync", "HIVE_TEST_RSYNC", shutil.which("rsync"))


def _found(name: str, variable: str, fallback: str | None) -> str:
    found = os.environ.get(variable) or fallback
    if not found or not Path(found).exists():
        raise ProgramMissingError(f"{name} is missing: run script/test, or set {variable}")
    return found
