"""What can be configured: one frozen tree, a section for each concern.

Everyone reads settings from here. `load` reads them from file, environment and command line;
`Settings()` is the defaults alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from hive.config import sources
from hive.config.fields import Section
from hive.config.sections.health import AlarmSettings, ScheduleSettings, UpkeepSettings
from hive.config.sections.notifications import HeartbeatSettings, MailSettings, NotificationSettings
from hive.config.sections.programs import BorgSettings, ChildSettings, RsyncSettings
from hive.config.sections.reports import ReportSettings
from hive.config.sections.server import DatabaseSettings, ServerSettings
from hive.config.sections.ssh import SshSettings
from hive.config.sections.storage import StorageSettings
from hive.config.sections.triggers import TriggerSettings
from hive.config.sections.web import WebSettings
from hive.config.values import Address

__all__ = [
    "Address",
    "AlarmSettings",
    "BorgSettings",
    "ChildSettings",
    "DatabaseSettings",
    "HeartbeatSettings",
    "MailSettings",
    "NotificationSettings",
    "Paths",
    "ReportSettings",
    "RsyncSettings",
    "ScheduleSettings",
    "ServerSettings",
    "Settings",
    "SshSettings",
    "StorageSettings",
    "TriggerSettings",
    "UpkeepSettings",
    "WebSettings",
    "load",
    "unknown_variables",
]


class Settings(Section):
    """Everything that can be configured."""

    server: ServerSettings = Field(default_factory=ServerSettings)
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    ssh: SshSettings = Field(default_factory=SshSettings)
    web: WebSettings = Field(default_factory=WebSettings)
    storage: StorageSettings = Field(default_factory=StorageSettings)
    alarms: AlarmSettings = Field(default_factory=AlarmSettings)
    upkeep: UpkeepSettings = Field(default_factory=UpkeepSettings)
    schedules: ScheduleSettings = Field(default_factory=ScheduleSettings)
    borg: BorgSettings = Field(default_factory=BorgSettings)
    rsync: RsyncSettings = Field(default_factory=RsyncSettings)
    child: ChildSettings = Field(default_factory=ChildSettings)
    notifications: NotificationSettings = Field(default_factory=NotificationSettings)
    mail: MailSettings = Field(default_factory=MailSettings)
    heartbeat: HeartbeatSettings = Field(default_factory=HeartbeatSettings)
    triggers: TriggerSettings = Field(default_factory=TriggerSettings)
    reports: ReportSettings = Field(default_factory=ReportSettings)

    @property
    def paths(self) -> Paths:
        return Paths.of(self)


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Where the hive's own files are; nothing here creates them."""

    data_dir: Path
    database: Path
    secret: Path
    setup_token: Path
    node: Path  # which data directory this is
    run: Path
    control_socket: Path
    process_id: Path
    logs: Path  # of the clients' reports
    repositories: Path
    ballast: Path
    scratch: Path

    @classmethod
    def of(cls, settings: Settings) -> Paths:
        data_dir = settings.server.data_dir
        run = data_dir / "run"
        return cls(
            data_dir=data_dir,
            database=data_dir / "hive.sqlite3",
            secret=data_dir / "secret",
            setup_token=data_dir / "setup-token",
            node=data_dir / "node",
            run=run,
            control_socket=run / "control.sock",
            process_id=run / "hive.pid",
            logs=data_dir / "logs",
            repositories=settings.storage.root or data_dir / "repos",
            ballast=data_dir / "ballast",
            scratch=(settings.child.scratch_dir or data_dir) / "scratch",
        )

    def host_key(self, algorithm: str) -> Path:
        """The private host key of `algorithm`: `ssh_host_ed25519_key`."""
        return self.data_dir / f"ssh_host_{algorithm}_key"


def load(
    config_file: Path | None,
    *,
    data_dir: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """The settings in effect: `overrides`, else environment, else `config_file`, else defaults.

    `overrides` come from the command line, by dotted name ({"ssh.listen": "0.0.0.0:22"});
    None among them means not given. `data_dir` is one more of them.
    """
    given = {**(overrides or {})}
    if data_dir is not None:
        given["server.data_dir"] = data_dir
    return sources.read(
        Settings,
        config_file=config_file,
        environment=os.environ if environment is None else environment,
        overrides=given,
    )


def unknown_variables(environment: Mapping[str, str] | None = None) -> list[str]:
    """A warning on each variable that begins with HIVE_ and is not a setting."""
    found = os.environ if environment is None else environment
    return sources.unknown_variables(found, Settings)
