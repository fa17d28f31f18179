"""borg and rsync: where they are, and how the server confines them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hive.config.fields import GIB, MIB, Name, PathSetting, Section, SizeLimit, Whole
from hive.sentences import N_


class BorgSettings(Section):
    """The borg programs on this server."""

    command: Name = Field("borg", description=N_("Name or path of borg 1."))
    borg2_command: Name | None = Field(
        None,
        description=N_("Name or path of borg 2. If not set, borg 2 clients are refused."),
        examples=["/opt/borg2/bin/borg"],
    )


class RsyncSettings(Section):
    """Import and export by rsync."""

    command: Name = Field("rsync", description=N_("Name or path of rsync."))
    timeout_seconds: Whole = Field(
        600, ge=1, description=N_("Seconds without traffic after which rsync gives up.")
    )
    max_file_bytes: SizeLimit = Field(
        None, description=N_("Largest file that an import may contain; none is no limit.")
    )
    staging_days: Whole = Field(
        7,
        ge=0,
        description=N_(
            "Days after which a staged import that is not in place is deleted; 0: only on request."
        ),
    )


class ChildSettings(Section):
    """The programs (borg and rsync) that serve one session each."""

    confinement: Literal["prefer", "require"] = Field(
        "prefer",
        description=N_(
            "Confine programs as far as the system can (prefer), or refuse sessions if "
            "it cannot (require)."
        ),
    )
    user: Name = Field(
        "borg-hive",
        description=N_(
            "Account for borg and rsync if root starts the server; a missing system "
            "account is created."
        ),
    )
    allow_root: bool = Field(
        False, description=N_("Run programs as root if no other account can be used.")
    )
    landlock: bool = Field(
        True,
        description=N_("Confine programs to their files with Landlock, if the kernel supports it."),
    )
    mount_namespace: bool = Field(
        True,
        description=N_(
            "Give each program a separate view of the file system: always if root "
            "starts the server, and if Landlock is missing or old."
        ),
    )
    nice: Whole = Field(
        5, ge=0, le=19, description=N_("CPU priority of programs, from 0 (normal) to 19 (lowest).")
    )
    io_class: Literal["best-effort", "idle"] = Field(
        "best-effort", description=N_("Disk priority class of programs.")
    )
    io_level: Whole = Field(
        6,
        ge=0,
        le=7,
        description=N_("Disk priority within best-effort, from 0 (highest) to 7 (lowest)."),
    )
    memory_bytes: SizeLimit = Field(
        8 * GIB,
        ge=64 * MIB,
        description=N_("Address space of one program; none is no limit."),
    )
    open_files: Whole = Field(
        1024, ge=64, description=N_("Number of files that one program may have open.")
    )
    processes: Whole = Field(
        512,
        ge=8,
        description=N_("Number of processes and threads of the account that runs programs."),
    )
    scratch_dir: PathSetting | None = Field(
        None,
        description=N_(
            "Directory in which `scratch` is created for temporary files of sessions, "
            "for example on a tmpfs. Default: the data directory."
        ),
        examples=["/run/borg-hive"],
    )
    file_bytes: SizeLimit = Field(
        64 * GIB,
        ge=MIB,
        description=N_("Largest file that one program may write; none is no limit."),
    )
