"""What one configured value may look like, and how it is brought into its one form.

Every function here is a pydantic validator: it returns the value or raises ValueError with
the words that follow the setting's name ("must be ...").
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from hive import units
from hive.addresses import parse_network
from hive.errors import InvalidInput

# what every mail server takes; quoted and international names before the @ are not worth their risk
_MAIL_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
)

_DATABASE_SCHEMES = ("sqlite", "postgres", "postgresql", "asyncpg", "psycopg", "mysql")


_COMMAND_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_COMMANDS = 'write for example wake-nas = ["/usr/local/bin/wake", "nas"]'


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """HOST:PORT, with an IPv6 address in brackets. Port 0 takes a free one."""
    wrong = ValueError("must be HOST:PORT or [IPV6]:PORT, for example 0.0.0.0:2222 or [::]:2222")
    host, separator, digits = text.strip().rpartition(":")
    if not separator or not digits.isascii() or not digits.isdigit() or len(digits) > 5:
        raise wrong
    if int(digits) > 65535:
        raise ValueError(f"must have a port from 0 to 65535, not {digits}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        try:
            # a zone (%eth0) is part of where a link-local address listens
            if ip_address(host).version != 6:
                raise wrong
        except ValueError:
            raise wrong from None
    elif not host or not all(char.isalnum() or char in ".-_" for char in host):
        raise wrong
    return Address(host, int(digits))


def listen(value: object) -> tuple[str, ...]:
    """Addresses, each in its one form; of text, those between commas."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise ValueError("must be HOST:PORT in quotes, or a list of that")
    if not parts:
        raise ValueError("must name at least one address")
    return tuple(dict.fromkeys(str(parse_address(part)) for part in parts))


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def flag(value: object) -> bool:
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in known:
        return known[value.strip().lower()]
    raise ValueError("must be true or false")


def whole_number(value: object) -> object:
    # pydantic would take true for 1
    if isinstance(value, bool):
        raise ValueError("must be a whole number")
    return value


def size(value: object) -> object:
    return _size(value, units.parse_size)


def size_limit(value: object) -> object:
    """A size, where 0 and 'none' mean no limit."""
    return _size(value, units.parse_limit)


def _size(value: object, parse: Callable[[str], int | None]) -> object:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("must be a size, for example 500MB, 10GB or 5GiB")
    try:
        return parse(str(value))
    except InvalidInput as error:
        raise ValueError(f"is wrong: {error.message}") from None


def absolute_path(path: Path) -> Path:
    """`~` expanded; a relative path starts at the working directory."""
    if path == Path() or "\0" in str(path):
        raise ValueError("must be a path")
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(f"is wrong: {error}") from None


def path_list(value: object) -> object:
    """A list; in an environment variable paths are separated by colons, as in PATH."""
    if isinstance(value, str):
        return [part for part in value.split(os.pathsep) if part]
    return value


def network_list(value: object) -> object:
    """Networks in their canonical form; in an environment variable separated by commas."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise ValueError("must be a list of networks")
    networks = []
    for part in parts:
        try:
            networks.append(str(parse_network(str(part))))
        except ValueError as error:
            raise ValueError(f"must list networks, for example 10.0.0.0/8: {error}") from None
    return networks


def one_line(text: str) -> str:
    """A name or path of a program or account: something, and nothing that could be two."""
    if not text.strip() or not text.isprintable():
        raise ValueError("must be a name or a path on one line")
    return text.strip()


def mail_address(text: str) -> str:
    """One plain address, without a display name."""
    address = text.strip()
    if not _MAIL_ADDRESS.fullmatch(address):
        raise ValueError("must be one e-mail address in ASCII, for example alice@example.org")
    return address


def commands(value: object) -> object:
    """Named lists of arguments; in an environment variable as JSON."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError(
                'must be JSON here, for example {"wake-nas": ["/usr/local/bin/wake", "nas"]}'
            ) from None
    return value


def check_commands(found: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    for name, argv in found.items():
        if not _COMMAND_NAME.fullmatch(name):
            raise ValueError(f"has a name that is none: {name[:64]!r}; {_COMMANDS}")
        if not argv or not argv[0].startswith("/") or any("\0" in word for word in argv):
            raise ValueError(f"{name} must begin with the absolute path of a program; {_COMMANDS}")
    return found


def database_url(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    if _split_url(text).scheme not in _DATABASE_SCHEMES or "://" not in text:
        # the value holds a password and is not repeated
        raise ValueError(f"must begin with one of {', '.join(_DATABASE_SCHEMES)} and then ://")
    return url


def public_url(text: str) -> str:
    """The address of the web pages as people type it, without a slash at its end."""
    wrong = ValueError("must be http:// or https://, a host and nothing behind it")
    parts = _split_url(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise wrong
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise wrong
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _split_url(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port  # only reading it shows that it is wrong
    except ValueError:
        raise ValueError("must be a URL with a valid host and port") from None
    return parts
