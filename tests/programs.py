"""Where the real programs are that some tests talk to; one that is missing is a failure."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


class ProgramMissingError(AssertionError):
    pass


def borg_commands() -> dict[str, str]:
    """Return the path of each borg that tests run with, by release line."""
    return {"1.2": borg_command("1.2"), "1.4": borg_command("1.4")}


def borg_command(line: str) -> str:
    """Return the path of the borg of one release line, "1.2" or "1.4"."""
    variable = {"1.2": "HIVE_TEST_BORG_12", "1.4": "HIVE_TEST_BORG_14"}[line]
    fallback = {
        "1.2": shutil.which("borg"),
        "1.4": str(CHECKOUT / ".venv-borg14" / "bin" / "borg"),
    }[line]
    found = os.environ.get(variable) or fallback
    if not found or not Path(found).exists():
        raise ProgramMissingError(f"borg {line} is missing: run script/test, or set {variable}")
    return found


def rsync_command() -> str:
    found = os.environ.get("HIVE_TEST_RSYNC") or shutil.which("rsync")
    if not found:
        raise ProgramMissingError("rsync is missing: run script/test, or set HIVE_TEST_RSYNC")
    return found
