"""What the doctor looks at outside the hive: ports, clock, kernel limits."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from hive import clock
from hive.config.settings import Address
from hive.services.checks import Check
from hive.services.clock.trust import is_synchronised
from hive.timekeeping import EARLIEST_YEAR

_FEW_WATCHES = 65_536
_FEW_INSTANCES = 64
_KERNEL_LIMITS = Path("/proc/sys/fs/inotify")


def check_port(subject: str, address: Address, setting: str) -> Check:
    """Whether the server could listen there; it does not run now."""
    try:
        family = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0][0]
        with socket.create_server((address.host, address.port), family=family):
            pass
    except OSError as error:
        message = f"{address} cannot be listened on: {error.strerror or error}"
        remedy = f"End what uses it, or set {setting}; ports below 1024 need a privilege."
        return Check("error", subject, message, remedy)
    return Check("ok", subject, f"{address} is free")


def check_clock() -> Check:
    subject = "Clock"
    now = clock.now()
    if now.year < EARLIEST_YEAR:
        message = f"It says {clock.rfc3339(now)}, which is long ago"
        return Check("error", subject, message, "Set the clock: keys expire by it.")
    synchronised = is_synchronised()
    if synchronised is None:
        return Check("ok", subject, "It is plausible; whether it is synchronised is not known")
    if not synchronised:
        message = "The system clock is not synchronised"
        remedy = "Run an NTP client, for example systemd-timesyncd or chrony."
        return Check("warning", subject, message, remedy)
    return Check("ok", subject, "The system clock is synchronised")


def check_inotify() -> list[Check]:
    found = []
    for name, few in (("max_user_watches", _FEW_WATCHES), ("max_user_instances", _FEW_INSTANCES)):
        with contextlib.suppress(OSError, ValueError):
            value = int((_KERNEL_LIMITS / name).read_text(encoding="ascii"))
            if value < few:
                message = f"fs.inotify.{name} is {value}: some changes may go unnoticed"
                remedy = f"sysctl fs.inotify.{name}={few}, and the same in /etc/sysctl.d."
                found.append(Check("warning", "inotify", message, remedy))
    return found or [Check("ok", "inotify", "The kernel's limits are high enough")]
