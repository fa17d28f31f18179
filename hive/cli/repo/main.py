"""hive repo ...: each command in its module, which is imported when it runs."""

from __future__ import annotations

import click

from hive.cli.later import add_later


@click.group()
def repo() -> None:
    """Repositories."""


add_later(
    repo,
    "hive.cli.repo",
    {
        "acknowledge": ("schedule:acknowledge", "Acknowledge a missing backup; reminders stop."),
        "add": ("add:add", "Add a repository."),
        "break-lock": ("lock:break_lock", "Remove locks that dead processes of this server left."),
        "check": ("upkeep:check", "Check a repository without its passphrase."),
        "clear-config-limits": (
            "staged_import:clear_config_limits",
            "Remove append_only, storage_quota and additional_free_space from the config file.",
        ),
        "compact": ("upkeep:compact", "Free the space of data that no archive uses any more."),
        "configs": ("change:configs", "List the saved versions of a repository's config file."),
        "delete": ("trash:delete", "Move a repository to the trash and end its sessions."),
        "discard-import": ("staged_import:discard_import", "Delete a staged import."),
        "dismiss": ("schedule:dismiss", "Confirm that an unusually small backup is correct."),
        "list": ("listing:list_", "List repositories."),
        "move": ("move:move", "Move a repository to another location."),
        "mute": ("schedule:mute", "Send no notifications about missing backups for a while."),
        "pause": ("schedule:pause", "Expect no backups for a while."),
        "ping-token": ("ping_token:ping_token", "Tokens that clients report backups with."),
        "restore": ("trash:restore", "Restore a repository from the trash."),
        "restore-config": ("change:restore_config", "Restore a saved version of the config file."),
        "resume": ("schedule:resume", "End a pause."),
        "rollback": ("rollback:roll_back", "Restore what was deleted since the last compaction."),
        "set": ("change:set_", "Change a repository."),
        "set-many": ("set_many:set_many", "Change many repositories in the same way."),
        "show": ("show:show", "Show one repository."),
        "unmute": ("schedule:unmute", "End a mute."),
    },
)
