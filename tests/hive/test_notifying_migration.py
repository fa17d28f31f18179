"""Who had rules before there was a wish about the rest keeps them, and hears what is critical."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

import migrations
from hive import migrate
from hive.migrate import migrate_sqlite

PACKAGE = "migrations_before"
MADE = "2026-01-01 00:00:00+00:00"


@pytest.mark.long
async def test_rules_that_were_there_before_keep_what_they_hold_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert migrations.__file__ is not None
    real, before = Path(migrations.__file__).parent, tmp_path / PACKAGE
    shutil.copytree(real, before, ignore=shutil.ignore_patterns("__pycache__"))
    for path in before.glob("[0-9]*.py"):
        if path.stem >= "0016":
            path.unlink()
    database = tmp_path / "hive.sqlite3"
    with monkeypatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        patch.setattr(migrate, "MIGRATIONS", PACKAGE)
        await migrate_sqlite(database)
    for name in [one for one in sys.modules if one.startswith(PACKAGE)]:
        del sys.modules[name]
    with closing(sqlite3.connect(database)) as connection, connection:
        for number, name in enumerate(("ruled", "wishful", "free", "off"), 1):
            connection.execute(
                'INSERT INTO "user" (id, name, is_admin, enabled, created_at)'
                " VALUES (?, ?, 0, 1, ?)",
                (number, name, MADE),
            )
        for number, enabled in ((1, 1), (2, 1), (4, 0)):
            connection.execute(
                "INSERT INTO rule (user_id, name, enabled, kinds, severity,"
                " is_quiet_for_critical, created_at) VALUES (?, 'r', ?, '[]', 'warning', 0, ?)",
                (number, enabled, MADE),
            )
        connection.execute(
            "INSERT INTO preference (user_id, reminder_hours, expiration_days, is_told_of_shared,"
            " digest, digest_hour, digest_weekday) VALUES (2, 3, 4, 0, 'daily', 5, 6)"
        )
    await migrate_sqlite(database)
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute(
            "SELECT user_id, reminder_hours, digest, rest, is_told_of_critical FROM preference"
            " ORDER BY user_id"
        ).fetchall()
    assert found == [(1, 12, "weekly", "critical", 1), (2, 3, "daily", "critical", 1)]
