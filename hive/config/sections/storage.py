"""Where repositories are stored."""

from __future__ import annotations

from pydantic import Field

from hive.config.fields import Flag, PathSetting, Section, Size, Whole
from hive.sentences import N_


class StorageSettings(Section):
    """Where repositories are stored and how long deleted ones are kept."""

    root: PathSetting | None = Field(
        None,
        description=N_("Directory of the repositories. Default: `repos` in the data directory."),
        examples=["/srv/borg"],
    )
    trash_days: Whole = Field(
        30, ge=0, description=N_("Days that a deleted repository is kept in the trash.")
    )
    reserve: Size | None = Field(
        None,
        description=N_(
            "Space kept free on each disk: below it, new backups are refused. Default: "
            "1% of the disk, at least 512 MiB (a tenth of a small disk), at most 10 "
            "GiB."
        ),
        examples=["20GB"],
    )
    ballast: Flag = Field(
        True,
        description=N_(
            "Keep files that are deleted when a disk is full, so that the database can "
            "write and clients can delete and compact."
        ),
    )
    config_versions: Whole = Field(
        50,
        ge=1,
        description=N_("Number of versions of each repository's config file that are kept."),
    )
    break_stale_locks: Flag = Field(
        True,
        description=N_("Remove locks of dead processes of this server when no session runs."),
    )
