"""Backups that the server starts."""

from __future__ import annotations

from pydantic import Field

from hive.config.fields import Commands, Name, Section, Whole
from hive.sentences import N_


class TriggerSettings(Section):
    """Backups that the server starts."""

    commands: Commands = Field(
        default_factory=dict,
        description=N_(
            "Commands that triggers may run: for each name, the program and its arguments."
        ),
        examples=[{"wake-nas": ("/usr/local/bin/wake", "nas")}],
    )
    command_user: Name | None = Field(
        None,
        description=N_(
            "Account that runs these commands if root starts the server. Default: the "
            "account of sessions."
        ),
        examples=["hive-commands"],
    )
    command_seconds: Whole = Field(
        300, ge=1, le=86_400, description=N_("Seconds after which a command is ended.")
    )
    catch_up_minutes: Whole = Field(
        60,
        ge=0,
        description=N_("Minutes after its time within which a missed trigger still runs."),
    )
