"""Whether a database has the newest schema already, as at all starts but that after an upgrade.

It asks the file itself: the tools that change a schema take longer to import than most commands
run.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import migrations

_BUSY_SECONDS = 5


def is_newest(path: Path) -> bool:
    """Whether exactly the migrations that there are were applied; False where that is unknown."""
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", _BUSY_SECONDS, uri=True)
        with contextlib.closing(database):
            rows = database.execute("SELECT name FROM tortoise_migrations WHERE app = 'hive'")
            applied = {str(name) for (name,) in rows}
    except sqlite3.Error:
        return False  # there is none yet, or hive.migrate says what is wrong with it
    return applied == _known()


def _known() -> set[str]:
    directory = Path(str(migrations.__file__)).parent
    return {path.stem for path in directory.glob("[0-9]*.py")}
