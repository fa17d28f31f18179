"""Which settings in effect weaken security, in sentences for the log at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hive.config import values

if TYPE_CHECKING:
    from hive.config.settings import Settings

# Above these, a limit no longer protects anything. In the order of the sections.
_HUGE = {
    "ssh.login_seconds": 600,
    "ssh.max_unauthenticated": 2_000,
    "ssh.max_unauthenticated_per_address": 500,
    "ssh.max_waiting": 5_000,
    "ssh.max_waiting_per_address": 5_000,
    "ssh.new_connections_per_minute_per_address": 6_000,
    "ssh.new_connections_burst_per_address": 1_000,
    "ssh.max_tries": 100,
    "ssh.max_sessions": 5_000,
    "ssh.max_channels_per_connection": 100,
    "ssh.max_environment_requests": 10_000,
    "ssh.idle_connection_seconds": 3_600,
    "ssh.max_command_length": 65_536,
    "ssh.max_login_length": 1_024,
    "ssh.rekey_bytes": 64 * 1024**3,
    "web.max_connections": 20_000,
    "web.max_connections_per_address": 2_000,
    "web.first_byte_seconds": 300,
    "web.header_seconds": 300,
    "web.body_seconds": 3_600,
    "web.stall_seconds": 600,
    "web.keepalive_seconds": 7_200,
    "web.max_streams_per_login": 500,
    "web.max_streams_per_user": 1_000,
    "web.login_tries_per_account_per_day": 1_000,
    "web.login_tries_per_address_per_hour": 1_000,
}


def dangerous(settings: Settings) -> list[str]:
    """A sentence for each setting in effect that weakens security."""
    ssh, child = settings.ssh, settings.child
    findings = {
        "server.log_level is debug: the log may show in detail what clients do": (
            settings.server.log_level == "debug"
        ),
        "ssh.algorithms is compatible: it offers algorithms that are no longer strong": (
            ssh.algorithms == "compatible"
        ),
        "ssh.keepalive_seconds is 0: sessions of clients that vanished stay open": (
            ssh.keepalive_seconds == 0
        ),
        f"web.listen is {', '.join(settings.web.listen)} without an https web.public_url: "
        "passwords may cross the network unencrypted": (
            not all(values.is_loopback(one.host) for one in settings.web.addresses)
            and not settings.web.is_https
        ),
        "storage.trash_days is 0: a deleted repository is gone at once": (
            settings.storage.trash_days == 0
        ),
        "child.user is root: a flaw in borg or rsync has all privileges": child.user == "root",
        "child.allow_root is true: where no other account can be had, borg and rsync run as root,"
        " who owns the files of everybody": child.allow_root,
        "child.landlock is false: one of two ways to keep borg and rsync from other files is off": (
            not child.landlock
        ),
        "child.memory_bytes is none: one session can take all memory": child.memory_bytes is None,
        "child.file_bytes is none: one session can fill the disk with one file": (
            child.file_bytes is None
        ),
        f"notifications.allowed_networks is {', '.join(settings.notifications.allowed_networks)}: "
        "anyone who may set up a webhook can send requests to services there": (
            settings.notifications.allowed_networks != ()
        ),
        "mail.security is none: e-mail and its password cross the network unencrypted": (
            settings.mail.security == "none"
            and settings.mail.host is not None
            and not values.is_loopback(settings.mail.host)
        ),
    }
    sentences = [sentence for sentence, found in findings.items() if found]
    for name, most in _HUGE.items():
        section, key = name.split(".")
        value = getattr(getattr(settings, section), key)
        if value > most:
            sentences.append(f"{name} is {value}: above {most} it hardly limits anything")
    return sentences
