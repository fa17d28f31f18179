"""Reports of clients, and how much of their logs is kept."""

from __future__ import annotations

from pydantic import Field

from hive.config.fields import KIB, MIB, Section, Size, Whole
from hive.sentences import N_


class ReportSettings(Section):
    """What clients report about their backups."""

    log_days: Whole = Field(90, ge=1, description=N_("Days for which logs of clients are kept."))
    unfinished_hours: Whole = Field(
        24, ge=1, description=N_("Hours after which a run without a reported end is closed.")
    )
    token_bytes_per_day: Size = Field(
        64 * MIB,
        ge=KIB,
        description=N_(
            "Log text that is kept for one ping token a day (UTC). Reports beyond it "
            "still count, with the end of their log only."
        ),
    )
    repository_bytes: Size = Field(
        32 * MIB,
        ge=2 * MIB,
        description=N_(
            "Disk space that the compressed logs of one repository may take. The oldest"
            " are shortened first, then dropped."
        ),
    )
    runs_per_repository: Whole = Field(
        5000,
        ge=10,
        description=N_("Number of runs that are kept for one repository; the newest stay."),
    )
