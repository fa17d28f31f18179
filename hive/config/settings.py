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
    """The process as a whole."""

    data_dir: PathSetting = Field(
        default_factory=default_data_dir,
        description="Directory of the database, the host keys and, by default, the repositories.",
        examples=["/var/lib/borg-hive"],
    )
    drain_seconds: Whole = Field(
        60, ge=0, description="Seconds that running sessions have to end when the server stops."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least important messages that are logged."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="Log lines for people (text) or for programs (json)."
    )


class DatabaseSettings(Section):
    """Where the hive keeps what it knows."""

    url: DatabaseUrl | None = Field(
        None,
        description="URL of the database; without one, SQLite in the data directory.",
        examples=["postgres://hive:secret@db.example.org/hive"],
    )


class SshSettings(Section):
    """The SSH gate: where it listens, what it speaks and how much it takes from one client."""

    listen: Listen = Field(
        "0.0.0.0:2222",
        description="Address and port of the SSH gate; port 0 takes a free one.",
    )
    algorithms: Literal["hardened", "compatible"] = Field(
        "hardened",
        description="Algorithms on offer: hardened, or compatible with clients that lack those.",
    )
    host_keys: PathList = Field(
        (),
        description="Files of further private host keys, for example those of a former server.",
    )
    login_seconds: Whole = Field(
        120, ge=1, description="Seconds a client has to log in before it is disconnected."
    )
    key_exchange_seconds: Whole = Field(
        30, ge=1, description="Seconds a client has to exchange keys before it is disconnected."
    )
    max_unauthenticated: Whole = Field(
        60,
        ge=1,
        description="Connections that may log in at the same time, in number; half of them are for"
        " addresses that logged in lately.",
    )
    max_unauthenticated_per_address: Whole = Field(
        10,
        ge=1,
        description="Connections from one address that may log in at the same time, in number; the"
        " others wait.",
    )
    max_waiting: Whole = Field(
        300, ge=1, description="Connections that may wait until they can log in, in number."
    )
    max_waiting_per_address: Whole = Field(
        100, ge=1, description="Connections from one address that may wait, in number."
    )
    waiting_seconds: Whole = Field(
        60, ge=1, description="Seconds a connection may wait before it is turned away."
    )
    new_connections_per_minute_per_address: Whole = Field(
        120,
        ge=1,
        description="Connections without a login one address may make, in number a minute; those"
        " that log in do not count.",
    )
    new_connections_burst_per_address: Whole = Field(
        20, ge=1, description="Connections without a login one address may make at once, in number."
    )
    max_tries: Whole = Field(
        10, ge=1, description="Keys a client may offer on one connection, in number."
    )
    max_sessions: Whole = Field(
        200, ge=1, description="Sessions that may run at the same time, in number."
    )
    max_sessions_per_repository: Whole = Field(
        8, ge=1, description="Sessions that may run on one repository, in number."
    )
    max_sessions_per_key: Whole = Field(
        16, ge=1, description="Sessions that may run with one key, in number."
    )
    max_channels_per_connection: Whole = Field(
        4, ge=1, description="Channels a client may open on one connection, in number."
    )
    max_environment_requests: Whole = Field(
        64, ge=0, description="Environment variables a client may send (all ignored), in number."
    )
    idle_connection_seconds: Whole = Field(
        60, ge=1, description="Seconds a connection may stay open after login with no session."
    )
    keepalive_seconds: Whole = Field(
        10, ge=0, description="Seconds between questions whether a client is there; 0 never asks."
    )
    keepalive_count: Whole = Field(
        30, ge=1, description="Unanswered questions after which a client is gone, in number."
    )
    max_command_length: Whole = Field(
        4096, ge=64, description="Length of the command a client may send, in bytes."
    )
    max_login_length: Whole = Field(
        64, ge=8, description="Length of the user name a client may send, in characters."
    )
    rekey_bytes: Size = Field(
        GIB, ge=MIB, description="Traffic after which session keys are renewed, as a size."
    )
    end_grace_seconds: Whole = Field(
        15, ge=0, description="Seconds between asking a child process to end and killing it."
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
        description="URL of the pages as people type it, for links in messages.",
        examples=["https://hive.example.org"],
    )
    trusted_proxies: NetworkList = Field(
        (),
        description="Networks of the proxies whose word on a visitor's address is believed.",
    )
    session_idle_hours: Whole = Field(
        24 * 7, ge=1, description="Hours without a visit after which one must log in again."
    )
    session_days: Whole = Field(
        30, ge=1, description="Days after which one must log in again in any case."
    )
    max_connections: Whole = Field(
        512,
        ge=8,
        description="Connections that may be open, in number; at most a quarter of the open files"
        " that the system allows.",
    )
    max_connections_per_address: Whole = Field(
        100,
        ge=4,
        description="Connections from one address, in number; behind trusted proxies, requests.",
    )
    first_byte_seconds: Whole = Field(
        10, ge=1, description="Seconds a new connection has to send its first byte."
    )
    header_seconds: Whole = Field(
        20, ge=1, description="Seconds a client has to send the header of a request."
    )
    body_seconds: Whole = Field(
        120, ge=1, description="Seconds a client has to send the body of a request."
    )
    stall_seconds: Whole = Field(
        60, ge=1, description="Seconds after which a client that reads nothing is disconnected."
    )
    keepalive_seconds: Whole = Field(
        150, ge=1, description="Seconds a connection may stay open without a request."
    )
    max_streams_per_login: Whole = Field(
        20, ge=1, description="Open pages of one browser that are updated live, in number."
    )
    max_streams_per_user: Whole = Field(
        40, ge=1, description="Open pages of one user that are updated live, in number."
    )
    login_tries_per_account_per_day: Whole = Field(
        20, ge=1, description="Wrong passwords for one account from one network, in number a day."
    )
    login_tries_per_address_per_hour: Whole = Field(
        20, ge=1, description="Wrong passwords from one address, in number an hour."
    )

    @property
    def address(self) -> Address:
        return parse_address(self.listen)

    @property
    def is_https(self) -> bool:
        """Whether people reach the pages by HTTPS, as the public URL says."""
        return self.public_url is not None and self.public_url.startswith("https://")


class StorageSettings(Section):
    """Where repositories lie and how long deleted ones are kept."""

    root: PathSetting | None = Field(
        None,
        description="Directory of the repositories; without one, `repos` in the data directory.",
        examples=["/srv/borg"],
    )
    trash_days: Whole = Field(
        30, ge=0, description="Days a deleted repository is kept in the trash."
    )
    reserve: Size | None = Field(
        None,
        description="Room kept free on each disk, as a size: below it, new backups are refused."
        " Without one, 1 % of the disk, from 512 MiB (a tenth of a small disk) to 10 GiB.",
        examples=["20GB"],
    )
    ballast: Flag = Field(
        True,
        description="Keep files that are given up on a full disk, so that the database can write"
        " and clients can delete and compact.",
    )
    config_versions: Whole = Field(
        50, ge=1, description="Versions of each repository's config file that are kept, in number."
    )
    break_stale_locks: Flag = Field(
        True,
        description="Remove a lock of a dead process of this server when no session runs.",
    )


class AlarmSettings(Section):
    """When something is so unusual that somebody should be told."""

    mass_deletion_percent: Whole = Field(
        50,
        ge=1,
        le=100,
        description="Percent of a repository's live data that one session may delete quietly.",
    )
    shrink_percent: Whole = Field(
        30,
        ge=1,
        le=100,
        description="Percent a repository may shrink by, without a session that deleted something.",
    )
    lock_hours: Whole = Field(
        24, ge=1, description="Hours after which a lock is stale, whoever holds it."
    )
    refusals_per_hour: Whole = Field(
        20, ge=1, description="Refusals at one repository within an hour that are told as many."
    )


class UpkeepSettings(Section):
    """What the server's own borg does to repositories while nobody uses them."""

    check_days: Whole = Field(
        30, ge=0, description="Days after which a repository is checked again; 0: only when asked."
    )
    compact_days: Whole = Field(
        0,
        ge=0,
        description="Days after which a repository of borg 1 is compacted again; 0: only when"
        " asked. What an append-only key has deleted is kept all the same.",
    )
    minutes_a_day: Whole = Field(
        60,
        ge=1,
        description="Minutes that a scheduled check or compaction of one repository may take on one"
        " day; it goes on where it stopped.",
    )
    idle_minutes: Whole = Field(
        10, ge=0, description="Minutes without a session before a repository counts as idle."
    )


class ScheduleSettings(Section):
    """When a backup that was expected is missed."""

    default_grace_minutes: Whole = Field(
        6 * 60,
        ge=0,
        le=366 * 24 * 60,
        description="Minutes after a backup was due until its repository is down, where the"
        " repository says nothing else.",
    )
    running_hours: Whole = Field(
        48,
        ge=0,
        description="Hours for which a session that is running keeps its repository from going"
        " down: it may be the backup that is missed.",
    )


class BorgSettings(Section):
    """The borg programs on this server."""

    command: Name = Field("borg", description="Name or path of borg 1.")
    borg2_command: Name | None = Field(
        None,
        description="Name or path of borg 2; without one, borg 2 clients are refused.",
        examples=["/opt/borg2/bin/borg"],
    )


class RsyncSettings(Section):
    """Import and export by rsync."""

    command: Name = Field("rsync", description="Name or path of rsync.")
    timeout_seconds: Whole = Field(
        600, ge=1, description="Seconds without any traffic after which rsync gives up."
    )
    max_file_bytes: SizeLimit = Field(
        None, description="Largest file an import may bring, as a size; none is no limit."
    )
    staging_days: Whole = Field(
        7,
        ge=0,
        description="Days after which an import is discarded that is staged and not in place; 0:"
        " only when asked.",
    )


class ChildSettings(Section):
    """The processes that serve one session each."""

    confinement: Literal["prefer", "require"] = Field(
        "prefer",
        description="Confine children as far as the system can (prefer), or else refuse (require).",
    )
    user: Name = Field(
        "borg-hive",
        description="Account that children run as when the server runs as root; a system account "
        "that is made where it is missing.",
    )
    allow_root: bool = Field(
        False, description="Run children as root where no other account can be had."
    )
    landlock: bool = Field(
        True, description="Confine children to their files with Landlock, where the kernel has it."
    )
    mount_namespace: bool = Field(
        True,
        description="Confine children to a file system of their own: always when the server runs "
        "as root, and where Landlock is missing or old.",
    )
    nice: Whole = Field(
        5, ge=0, le=19, description="Processor priority of children, from 0 (normal) to 19 (last)."
    )
    io_class: Literal["best-effort", "idle"] = Field(
        "best-effort", description="Disk priority class of children."
    )
    io_level: Whole = Field(
        6, ge=0, le=7, description="Disk priority within best-effort, from 0 (first) to 7 (last)."
    )
    memory_bytes: SizeLimit = Field(
        8 * GIB,
        ge=64 * MIB,
        description="Address space of one child, as a size; none is no limit.",
    )
    open_files: Whole = Field(1024, ge=64, description="Files one child may have open, in number.")
    processes: Whole = Field(
        512, ge=8, description="Processes and threads of the account of the children, in number."
    )
    scratch_dir: PathSetting | None = Field(
        None,
        description="Directory in which `scratch` is made for what children keep for the time of a"
        " session, on a tmpfs for example; without one, the data directory.",
        examples=["/run/borg-hive"],
    )
    file_bytes: SizeLimit = Field(
        64 * GIB,
        ge=MIB,
        description="Largest file one child may write, as a size; none is no limit.",
    )


class NotificationSettings(Section):
    """Requests to servers that people name: notifications and webhooks."""

    allowed_networks: NetworkList = Field(
        (),
        description="Private networks that such requests may reach, for example that of an own "
        "ntfy; public addresses are always allowed.",
    )
    timeout_seconds: Whole = Field(
        10, ge=1, le=300, description="Seconds a request may take from beginning to end."
    )
    max_answer_bytes: Size = Field(
        64 * KIB, ge=KIB, le=16 * MIB, description="Part of an answer that is read, as a size."
    )


class HeartbeatSettings(Section):
    """A sign of life to a server that notices when it stays away."""

    url: SecretStr | None = Field(
        None,
        description="Address that is called while gate, database and scheduler are well; whoever "
        "knows it can call it too.",
        examples=["https://hc-ping.example.org/3f0c..."],
    )
    interval_seconds: Whole = Field(300, ge=10, description="Seconds from one call to the next.")
    method: Literal["GET", "HEAD", "POST"] = Field("GET", description="Method of the call.")


class MailSettings(Section):
    """The mail server that e-mail is sent through."""

    host: Name | None = Field(
        None,
        description="Name of the mail server; without one, no e-mail is sent.",
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
        description="File with the certificates (PEM) that the mail server's own certificate may"
        " be signed by, besides those of the system.",
        examples=["/etc/borg-hive/mail-ca.pem"],
    )
    username: Name | None = Field(
        None,
        description="Name to log in with; without one, no login.",
        examples=["hive@example.org"],
    )
    password: SecretStr | None = Field(
        None, description="Password to log in with.", examples=["secret"]
    )
    sender: MailAddress | None = Field(
        None,
        description="Address that e-mail comes from; without one, borg-hive at the host of "
        "`web.public_url`.",
        examples=["hive@example.org"],
    )
    timeout_seconds: Whole = Field(
        30, ge=1, le=300, description="Seconds the mail server may take for each step."
    )


class TriggerSettings(Section):
    """Backups that the server asks for."""

    commands: Commands = Field(
        default_factory=dict,
        description="Commands that triggers may run: by name a list of program and arguments.",
        examples=[{"wake-nas": ("/usr/local/bin/wake", "nas")}],
    )
    command_user: Name | None = Field(
        None,
        description="Account that these commands run as when the server runs as root; without one, "
        "that of the children.",
        examples=["hive-commands"],
    )
    command_seconds: Whole = Field(
        300, ge=1, le=86_400, description="Seconds after which such a command is ended."
    )
    catch_up_minutes: Whole = Field(
        60,
        ge=0,
        description="Minutes after its time within which a call that was missed is made up for.",
    )


class ReportSettings(Section):
    """What clients report of their own backups."""

    log_days: Whole = Field(90, ge=1, description="Days that the logs of clients are kept.")
    unfinished_hours: Whole = Field(
        24, ge=1, description="Hours after which a run whose end was never reported is closed."
    )
    token_bytes_per_day: Size = Field(
        64 * MIB,
        ge=KIB,
        description="Log text that is kept of one ping token a day (in UTC), as a size. Reports"
        " beyond it still count, with the end of their log only.",
    )
    repository_bytes: Size = Field(
        32 * MIB,
        ge=2 * MIB,
        description="Disk space that the compressed logs of one repository may take, as a size. The"
        " oldest are shortened first, then dropped.",
    )
    runs_per_repository: Whole = Field(
        5000, ge=10, description="Runs that are kept of one repository, in number; the newest stay."
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
