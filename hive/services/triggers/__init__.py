"""Backups that the server asks for: by schedule, by a button, or because one is late.

What is called is AWX, a webhook, or a command that the administrator named in the configuration.
A call is a row before it is made, so that a restart loses none and no two ticks make it twice.
"""

from __future__ import annotations

from hive.services.triggers.calling import (
    carry_out,
    listen,
    recover,
    run_due,
    settled,
    stop,
    thin_out,
)
from hive.services.triggers.infos import TriggerInfo, TriggerRunInfo
from hive.services.triggers.store import (
    DEFAULT_TIMEZONE,
    AddTrigger,
    ChangeTrigger,
    add_trigger,
    change_trigger,
    commands,
    delete_trigger,
    find_trigger,
    get_run,
    get_trigger,
    kinds_for,
    list_runs,
    list_triggers,
    start_now,
)

__all__ = [
    "DEFAULT_TIMEZONE",
    "AddTrigger",
    "ChangeTrigger",
    "TriggerInfo",
    "TriggerRunInfo",
    "add_trigger",
    "carry_out",
    "change_trigger",
    "commands",
    "delete_trigger",
    "find_trigger",
    "get_run",
    "get_trigger",
    "kinds_for",
    "list_runs",
    "list_triggers",
    "listen",
    "recover",
    "run_due",
    "settled",
    "start_now",
    "stop",
    "thin_out",
]
