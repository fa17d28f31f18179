"""The server process and its database."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field

from hive.config.fields import DatabaseUrl, PathSetting, Section, Whole
from hive.sentences import N_


def default_data_dir() -> Path:
    # script/server says so, and a configuration that names another place still wins
    if wished := os.environ.get("HIVE_DEFAULT_DATA_DIR"):
        return Path(wished).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/borg-hive")
    named = os.environ.get("XDG_DATA_HOME", "")
    # the XDG specification: a relative path is to be ignored
    base = Path(named) if named.startswith("/") else Path.home() / ".local" / "share"
    return base / "borg-hive"


class ServerSettings(Section):
    """The server process."""

    data_dir: PathSetting = Field(
        default_factory=default_data_dir,
        description=N_(
            "Directory for the database, the host keys and, by default, the repositories."
        ),
        examples=["/var/lib/borg-hive"],
    )
    drain_seconds: Whole = Field(
        60,
        ge=0,
        description=N_("Seconds that running sessions may take to end when the server stops."),
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description=N_("Minimum level of log messages.")
    )
    log_format: Literal["text", "json"] = Field(
        "text", description=N_("Format of log lines: for people (text) or for programs (json).")
    )


class DatabaseSettings(Section):
    """Where the server stores its own state."""

    url: DatabaseUrl | None = Field(
        None,
        description=N_("URL of the database. Default: SQLite in the data directory."),
        examples=["postgres://hive:secret@db.example.org/hive"],
    )
