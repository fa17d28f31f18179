"""Where the real programs are that tests run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parent.parent


def borg_commands() -> dict[str, str]:
    """Absolute paths of the borg versions that are here, by version: 1.2 and 1.4."""
    found = {
        "1.2": os.environ.get("HIVE_TEST_BORG_12") or shutil.which("borg"),
        "1.4": os.environ.get("HIVE_TEST_BORG_14") or str(_CHECKOUT / ".venv-borg14/bin/borg"),
    }
    return {version: path for version, path in found.items() if path and Path(path).exists()}
