"""What can be configured: one frozen tree, a section for each concern.

Everyone reads settings from here. `load` reads them from file, environment and command line;
`Settings()` is the defaults alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from hive.config import sources, values
from hive.config.values import Address, parse_address

__all__ = ["Address", "Paths", "Settings", "load"]

Flag = Annotated[bool, BeforeValidator(values.flag)]
Whole = Annotated[int, BeforeValidator(values.whole_number)]
Size = Annotated[int, BeforeValidator(values.size)]
SizeLimit = Annotated[int | None, BeforeValidator(values.size_limit)]
PathSetting = Annotated[Path, AfterValidator(values.absolute_path)]
PathList = Annotated[tuple[PathSetting, ...], BeforeValidator(values.path_list)]
NetworkList = Annotated[tuple[str, ...], BeforeValidator(values.network_list)]
Listen = Annotated[str, AfterValidator(values.listen)]
Name = Annotated[str, AfterValidator(values.one_line)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(values.database_url)]
Commands = Annotated[
    dict[str, tuple[str, ...]],
    BeforeValidator(values.commands),
    AfterValidator(values.check_commands),
]
PublicUrl = Annotated[str, AfterValidator(values.public_url)]
MailAddress = Annotated[str, AfterValidator(values.mail_address)]

KIB = 1024
MIB = 1024**2
GIB = 1024**3


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


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ServerSettings(Section):
    """The server process."""

    data_dir: PathSetting = Field(
        default_factory=default_data_dir,
        description="Directory for the database, the host keys and, by default, the repositories.",
        examples=["/var/lib/borg-hive"],
    )
    drain_seconds: Whole = Field(
        60, ge=0, description="Seconds that running sessions may take to end when the server stops."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Minimum level of log messages."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="Format of log lines: for people (text) or for programs (json)."
    )


class DatabaseSettings(Section):
    """Where the server stores its own state."""

    url: DatabaseUrl | None = Field(
        None,
        description="URL of the database. Default: SQLite in the data directory.",
        examples=["postgres://hive:secret@db.example.org/hive"],
    )


class SshSettings(Section):
    """The SSH server: where it listens, which algorithms it offers, and its limits."""

    listen: Listen = Field(
        "0.0.0.0:2222",
        description="Address and port of the SSH server; port 0 takes a free one.",
    )
    algorithms: Literal["hardened", "compatible"] = Field(
        "hardened",
        description="SSH algorithms: only strong ones (hardened), or also those that older "
        "clients need (compatible).",
    )
    host_keys: PathList = Field(
        (),
        description="Files with additional private host keys, for example those of a former "
        "server.",
    )
    login_seconds: Whole = Field(120, ge=1, description="Seconds in which a client must log in.")
    key_exchange_seconds: Whole = Field(
        30, ge=1, description="Seconds in which a client must exchange keys."
    )
    max_unauthenticated: Whole = Field(
        60,
        ge=1,
        description="Number of connections that may log in at the same time; half of them are "
        "reserved for addresses that logged in recently.",
    )
    max_unauthenticated_per_address: Whole = Field(
        10,
        ge=1,
        description="Number of connections from one address that may log in at the same time; "
        "the others wait.",
    )
    max_waiting: Whole = Field(
        300, ge=1, description="Number of connections that may wait until they can log in."
    )
    max_waiting_per_address: Whole = Field(
        100, ge=1, description="Number of connections from one address that may wait."
    )
    waiting_seconds: Whole = Field(
        60, ge=1, description="Seconds that a connection may wait before it is turned away."
    )
    new_connections_per_minute_per_address: Whole = Field(
        120,
        ge=1,
        description="Number of connections a minute from one address that do not log in; those "
        "that log in do not count.",
    )
    new_connections_burst_per_address: Whole = Field(
        20,
        ge=1,
        description="Number of connections without a login that one address may make at once.",
    )
    max_tries: Whole = Field(
        10, ge=1, description="Number of keys that a client may offer on one connection."
    )
    max_sessions: Whole = Field(
        200, ge=1, description="Number of sessions that may run at the same time."
    )
    max_sessions_per_repository: Whole = Field(
        8, ge=1, description="Number of sessions that may run on one repository."
    )
    max_sessions_per_key: Whole = Field(
        16, ge=1, description="Number of sessions that may run with one key."
    )
    max_channels_per_connection: Whole = Field(
        4, ge=1, description="Number of channels that a client may open on one connection."
    )
    max_environment_requests: Whole = Field(
        64,
        ge=0,
        description="Number of environment variables that a client may send; all are ignored.",
    )
    idle_connection_seconds: Whole = Field(
        60,
        ge=1,
        description="Seconds that a connection without a session may stay open after login.",
    )
    keepalive_seconds: Whole = Field(
        10, ge=0, description="Seconds between keepalive messages to a client; 0 sends none."
    )
    keepalive_count: Whole = Field(
        30,
        ge=1,
        description="Number of unanswered keepalive messages after which a client is disconnected.",
    )
    max_command_length: Whole = Field(
        4096, ge=64, description="Maximum length of a client's command, in bytes."
    )
    max_login_length: Whole = Field(
        64, ge=8, description="Maximum length of the user name that a client sends, in characters."
    )
    rekey_bytes: Size = Field(
        GIB, ge=MIB, description="Traffic after which the SSH session keys are renewed."
    )
    end_grace_seconds: Whole = Field(
        15, ge=0, description="Seconds between asking a program to end and killing it."
    )

    @property
    def address(self) -> Address:
        return parse_address(self.listen)


class WebSettings(Section):
    """The web pages and the API."""

    listen: Listen = Field(
        "127.0.0.1:8080", description="Address and port of the web server; port 0 takes a free one."
    )
    public_url: PublicUrl | None = Field(
        None,
        description="URL of the pages as people type it, used for links in messages.",
        examples=["https://hive.example.org"],
    )
    trusted_proxies: NetworkList = Field(
        (),
        description="Networks of reverse proxies whose X-Forwarded-For header is trusted.",
    )
    session_idle_hours: Whole = Field(
        24 * 7, ge=1, description="Hours without a visit after which users must log in again."
    )
    session_days: Whole = Field(
        30, ge=1, description="Days after which users must log in again in any case."
    )
    max_connections: Whole = Field(
        512,
        ge=8,
        description="Number of connections that may be open; at most a quarter of the open "
        "files that the system allows.",
    )
    max_connections_per_address: Whole = Field(
        100,
        ge=4,
        description="Number of connections from one address; behind trusted proxies, of requests.",
    )
    first_byte_seconds: Whole = Field(
        10, ge=1, description="Seconds in which a new connection must send its first byte."
    )
    header_seconds: Whole = Field(
        20, ge=1, description="Seconds in which a client must send the header of a request."
    )
    body_seconds: Whole = Field(
        120, ge=1, description="Seconds in which a client must send the body of a request."
    )
    stall_seconds: Whole = Field(
        60, ge=1, description="Seconds after which a client that reads nothing is disconnected."
    )
    keepalive_seconds: Whole = Field(
        150, ge=1, description="Seconds that a connection may stay open without a request."
    )
    max_streams_per_login: Whole = Field(
        20, ge=1, description="Number of open pages of one browser that are updated live."
    )
    max_streams_per_user: Whole = Field(
        40, ge=1, description="Number of open pages of one user that are updated live."
    )
    login_tries_per_account_per_day: Whole = Field(
        20, ge=1, description="Number of wrong passwords a day for one account from one network."
    )
    login_tries_per_address_per_hour: Whole = Field(
        20, ge=1, description="Number of wrong passwords an hour from one address."
    )

    @property
    def address(self) -> Address:
        return parse_address(self.listen)

    @property
    def is_https(self) -> bool:
        """Whether people reach the pages by HTTPS, as the public URL says."""
        return self.public_url is not None and self.public_url.startswith("https://")


class StorageSettings(Section):
    """Where repositories are stored and how long deleted ones are kept."""

    root: PathSetting | None = Field(
        None,
        description="Directory of the repositories. Default: `repos` in the data directory.",
        examples=["/srv/borg"],
    )
    trash_days: Whole = Field(
        30, ge=0, description="Days that a deleted repository is kept in the trash."
    )
    reserve: Size | None = Field(
        None,
        description="Space kept free on each disk: below it, new backups are refused. Default: "
        "1 % of the disk, at least 512 MiB (a tenth of a small disk), at most 10 "
        "GiB.",
        examples=["20GB"],
    )
    ballast: Flag = Field(
        True,
        description="Keep files that are deleted when a disk is full, so that the database can "
        "write and clients can delete and compact.",
    )
    config_versions: Whole = Field(
        50, ge=1, description="Number of versions of each repository's config file that are kept."
    )
    break_stale_locks: Flag = Field(
        True,
        description="Remove locks of dead processes of this server when no session runs.",
    )


class AlarmSettings(Section):
    """When something unusual raises an alarm."""

    mass_deletion_percent: Whole = Field(
        50,
        ge=1,
        le=100,
        description="Percentage of a repository's live data that one session may delete without"
        " an alarm.",
    )
    shrink_percent: Whole = Field(
        30,
        ge=1,
        le=100,
        description="Percentage by which a repository may shrink without a session that deleted"
        " something.",
    )
    lock_hours: Whole = Field(
        24, ge=1, description="Hours after which a lock counts as stale, independent of its holder."
    )
    refusals_per_hour: Whole = Field(
        20,
        ge=1,
        description="Number of refusals at one repository within an hour that raises an alarm.",
    )


class UpkeepSettings(Section):
    """Checks and compactions that the server runs while nobody uses a repository."""

    check_days: Whole = Field(
        30, ge=0, description="Days after which a repository is checked again; 0: only on request."
    )
    compact_days: Whole = Field(
        0,
        ge=0,
        description="Days after which a repository of borg 1 is compacted again; 0: only on "
        "request. What an append-only key has deleted is kept in any case.",
    )
    minutes_a_day: Whole = Field(
        60,
        ge=1,
        description="Minutes a day that a scheduled check or compaction of one repository may "
        "take; it continues the next day.",
    )
    idle_minutes: Whole = Field(
        10, ge=0, description="Minutes without a session after which a repository counts as idle."
    )


class ScheduleSettings(Section):
    """When an expected backup counts as missing."""

    default_grace_minutes: Whole = Field(
        6 * 60,
        ge=0,
        le=366 * 24 * 60,
        description="Minutes after a backup was due until its repository is down, unless the "
        "repository sets its own grace.",
    )
    running_hours: Whole = Field(
        48,
        ge=0,
        description="Hours for which a running session keeps its repository from going down: it"
        " may be the missing backup.",
    )


class BorgSettings(Section):
    """The borg programs on this server."""

    command: Name = Field("borg", description="Name or path of borg 1.")
    borg2_command: Name | None = Field(
        None,
        description="Name or path of borg 2. If not set, borg 2 clients are refused.",
        examples=["/opt/borg2/bin/borg"],
    )


class RsyncSettings(Section):
    """Import and export by rsync."""

    command: Name = Field("rsync", description="Name or path of rsync.")
    timeout_seconds: Whole = Field(
        600, ge=1, description="Seconds without traffic after which rsync gives up."
    )
    max_file_bytes: SizeLimit = Field(
        None, description="Largest file that an import may contain; none is no limit."
    )
    staging_days: Whole = Field(
        7,
        ge=0,
        description="Days after which a staged import that is not in place is deleted; 0: only "
        "on request.",
    )


class ChildSettings(Section):
    """The programs (borg and rsync) that serve one session each."""

    confinement: Literal["prefer", "require"] = Field(
        "prefer",
        description="Confine programs as far as the system can (prefer), or refuse sessions if "
        "it cannot (require).",
    )
    user: Name = Field(
        "borg-hive",
        description="Account for borg and rsync if root starts the server; a missing system "
        "account is created.",
    )
    allow_root: bool = Field(
        False, description="Run programs as root if no other account can be used."
    )
    landlock: bool = Field(
        True,
        description="Confine programs to their files with Landlock, if the kernel supports it.",
    )
    mount_namespace: bool = Field(
        True,
        description="Give each program a separate view of the file system: always if root "
        "starts the server, and if Landlock is missing or old.",
    )
    nice: Whole = Field(
        5, ge=0, le=19, description="CPU priority of programs, from 0 (normal) to 19 (lowest)."
    )
    io_class: Literal["best-effort", "idle"] = Field(
        "best-effort", description="Disk priority class of programs."
    )
    io_level: Whole = Field(
        6,
        ge=0,
        le=7,
        description="Disk priority within best-effort, from 0 (highest) to 7 (lowest).",
    )
    memory_bytes: SizeLimit = Field(
        8 * GIB,
        ge=64 * MIB,
        description="Address space of one program; none is no limit.",
    )
    open_files: Whole = Field(
        1024, ge=64, description="Number of files that one program may have open."
    )
    processes: Whole = Field(
        512, ge=8, description="Number of processes and threads of the account that runs programs."
    )
    scratch_dir: PathSetting | None = Field(
        None,
        description="Directory in which `scratch` is created for temporary files of sessions, "
        "for example on a tmpfs. Default: the data directory.",
        examples=["/run/borg-hive"],
    )
    file_bytes: SizeLimit = Field(
        64 * GIB,
        ge=MIB,
        description="Largest file that one program may write; none is no limit.",
    )


class NotificationSettings(Section):
    """Requests to servers that users name: notifications, webhooks and triggers."""

    allowed_networks: NetworkList = Field(
        (),
        description="Private networks that such requests may reach, for example that of your "
        "own ntfy server; public addresses are always allowed.",
    )
    timeout_seconds: Whole = Field(
        10, ge=1, le=300, description="Seconds that a request may take from beginning to end."
    )
    max_answer_bytes: Size = Field(
        64 * KIB, ge=KIB, le=16 * MIB, description="How much of an answer is read."
    )


class HeartbeatSettings(Section):
    """Regular calls to a service that alerts you when they stop."""

    url: SecretStr | None = Field(
        None,
        description="Address that is called as long as SSH gate, database and scheduler work. "
        "Anybody who knows it can call it too.",
        examples=["https://hc-ping.example.org/3f0c..."],
    )
    interval_seconds: Whole = Field(300, ge=10, description="Seconds between two calls.")
    method: Literal["GET", "HEAD", "POST"] = Field("GET", description="Method of the call.")


class MailSettings(Section):
    """The mail server that e-mail is sent through."""

    host: Name | None = Field(
        None,
        description="Name of the mail server. If not set, no e-mail is sent.",
        examples=["mail.example.org"],
    )
    port: Whole = Field(
        587, ge=1, le=65535, description="Port of the mail server, usually 587, 465 or 25."
    )
    security: Literal["none", "starttls", "tls"] = Field(
        "starttls",
        description="Encryption: starttls (usually port 587), tls (465), or none (25).",
    )
    ca_file: PathSetting | None = Field(
        None,
        description="File with certificates (PEM) of authorities that may sign the mail "
        "server's certificate, in addition to those of the system.",
        examples=["/etc/borg-hive/mail-ca.pem"],
    )
    username: Name | None = Field(
        None,
        description="Name to log in with. If not set, the server does not log in.",
        examples=["hive@example.org"],
    )
    password: SecretStr | None = Field(
        None, description="Password to log in with.", examples=["secret"]
    )
    sender: MailAddress | None = Field(
        None,
        description="Sender address of e-mail. Default: borg-hive at the host of `web.public_url`.",
        examples=["hive@example.org"],
    )
    timeout_seconds: Whole = Field(
        30, ge=1, le=300, description="Seconds that the mail server may take for each step."
    )


class TriggerSettings(Section):
    """Backups that the server starts."""

    commands: Commands = Field(
        default_factory=dict,
        description="Commands that triggers may run: for each name, the program and its arguments.",
        examples=[{"wake-nas": ("/usr/local/bin/wake", "nas")}],
    )
    command_user: Name | None = Field(
        None,
        description="Account that runs these commands if root starts the server. Default: the "
        "account of sessions.",
        examples=["hive-commands"],
    )
    command_seconds: Whole = Field(
        300, ge=1, le=86_400, description="Seconds after which a command is ended."
    )
    catch_up_minutes: Whole = Field(
        60,
        ge=0,
        description="Minutes after its time within which a missed trigger still runs.",
    )


class ReportSettings(Section):
    """What clients report about their backups."""

    log_days: Whole = Field(90, ge=1, description="Days for which logs of clients are kept.")
    unfinished_hours: Whole = Field(
        24, ge=1, description="Hours after which a run without a reported end is closed."
    )
    token_bytes_per_day: Size = Field(
        64 * MIB,
        ge=KIB,
        description="Log text that is kept for one ping token a day (UTC). Reports beyond it "
        "still count, with the end of their log only.",
    )
    repository_bytes: Size = Field(
        32 * MIB,
        ge=2 * MIB,
        description="Disk space that the compressed logs of one repository may take. The oldest"
        " are shortened first, then dropped.",
    )
    runs_per_repository: Whole = Field(
        5000, ge=10, description="Number of runs that are kept for one repository; the newest stay."
    )


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
