"""What the doctor looks at outside the hive: ports, clock, kernel limits."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from hive import clock
from hive.config.settings import Address
from hive.listening import is_missing_family
from hive.sentences import say
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
        if is_missing_family(address, error):
            return Check("ok", subject, say("This machine has no %(address)s", address=address))
        message = say(
            "Cannot listen on %(address)s: %(problem)s",
            address=address,
            problem=error.strerror or error,
        )
        remedy = say(
            "Stop what uses it, or set %(setting)s; ports below 1024 need a privilege.",
            setting=setting,
        )
        return Check("error", subject, message, remedy)
    return Check("ok", subject, say("%(address)s is free", address=address))


def check_clock() -> Check:
    subject = say("Clock")
    now = clock.now()
    if now.year < EARLIEST_YEAR:
        message = say("It says %(now)s, which is long ago", now=now)
        return Check("error", subject, message, say("Set the clock: keys expire by it."))
    synchronised = is_synchronised()
    if synchronised is None:
        return Check("ok", subject, say("It is plausible; whether it is synchronised is not known"))
    if not synchronised:
        message = say("The system clock is not synchronised")
        remedy = say("Run an NTP client, for example systemd-timesyncd or chrony.")
        return Check("warning", subject, message, remedy)
    return Check("ok", subject, say("The system clock is synchronised"))


def check_inotify() -> list[Check]:
    found = []
    for name, few in (("max_user_watches", _FEW_WATCHES), ("max_user_instances", _FEW_INSTANCES)):
        with contextlib.suppress(OSError, ValueError):
            value = int((_KERNEL_LIMITS / name).read_text(encoding="ascii"))
            if value < few:
                message = say(
                    "fs.inotify.%(name)s is %(value)s: some changes may go unnoticed",
                    name=name,
                    value=value,
                )
                remedy = say(
                    "sysctl fs.inotify.%(name)s=%(value)s, and the same in /etc/sysctl.d.",
                    name=name,
                    value=few,
                )
                found.append(Check("warning", "inotify", message, remedy))
    return found or [Check("ok", "inotify", say("The kernel's limits are high enough"))]
