"""What the server prints for people when it starts: where its pages are, and how to get there."""

from __future__ import annotations

import getpass
from collections.abc import Sequence

from hive.config import values
from hive.config.values import Address

_ALL = ("0.0.0.0", "::")  # noqa: S104 - only compared


def page_url(addresses: Sequence[Address], host_name: str, public_url: str | None) -> str:
    """What a browser opens: never an address that stands for all of them."""
    if public_url is not None:
        return public_url
    first = addresses[0]
    host = host_name if first.host in _ALL else first.host
    return f"http://{Address(host, first.port)}"


def block(url: str, addresses: Sequence[Address], host_name: str, setup_path: str) -> list[str]:
    """The lines; `setup_path` makes the first administrator, and is empty where there is one."""
    lines = [""]
    if setup_path:
        lines += [
            "Open this link once to create the first administrator account:",
            f"  {url}{setup_path}",
        ]
    else:
        lines.append(f"Open the pages at {url}/")
    first = addresses[0]
    if all(values.is_loopback(one.host) for one in addresses) and url.startswith("http://"):
        there = f"{first.host}:{first.port}" if ":" not in first.host else str(first)
        lines += [
            "From another machine, run this first and leave it open:",
            f"  ssh -L {first.port}:{there} {user_name()}@{host_name}",
        ]
    if setup_path:
        lines.append("`hive setup-link` prints a new link.")
    return lines


def user_name() -> str:
    """The name of the user who runs this; USER where the system knows none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "USER"
