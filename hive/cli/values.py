"""Kinds of values on the command line; a wrong one is wrong usage."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click

from hive import units
from hive.errors import InvalidInput
from hive.kinds import Mode, Role, ShareLevel

_MAX_FILE = 64 * 1024  # bytes; a public key has less than 2 KiB

ID = click.IntRange(1, 2**31 - 1)
LEVEL = click.Choice([level.value for level in ShareLevel])
ROLE = click.Choice([role.value for role in Role])
MODE = click.Choice([mode.value.lower() for mode in Mode], case_sensitive=False)
PORT = click.IntRange(1, 65535)

T = TypeVar("T")


class _Parsed(click.ParamType[T]):
    """A value that a function of ours reads; what that refuses is wrong usage."""

    def __init__(self, name: str, parse: Callable[[str], T]) -> None:
        self.name = name
        self._parse = parse

    def convert(
        self,
        value: Any,  # noqa: ANN401 - as click has it
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> T:
        try:
            return self._parse(str(value))
        except InvalidInput as error:
            self.fail(error.message, param, ctx)


def _when(text: str) -> datetime | None:
    return None if text.lower() == "never" else units.parse_when(text)


def _grace(text: str) -> timedelta | str:
    return DEFAULT if text.lower() == DEFAULT else units.parse_duration(text)


class _Directory(click.Path):
    """A directory, absolute from here on: the server may work elsewhere."""

    def convert(
        self,
        value: Any,  # noqa: ANN401 - as click has it
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Path:
        return Path(str(super().convert(value, param, ctx))).absolute()


DIRECTORY = _Directory()


def _count(text: str) -> int | None:
    if text.strip().lower() == "none":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise InvalidInput("%(text)r is not a number from 0 to 999999, or none", text=text[:20])
    return int(text)


COUNT = _Parsed("count", _count)
DEFAULT = "default"  # as the settings say
DURATION = _Parsed("span", units.parse_duration)
GRACE = _Parsed("span", _grace)
PAST = _Parsed("when", units.parse_past)
WHEN = _Parsed("when", _when)
LIMIT = _Parsed("size", units.parse_limit)


def is_given_as_none(context: click.Context, name: str) -> bool:
    """Whether an option was given, and its value stands for none."""
    source = context.get_parameter_source(name)
    return source is click.core.ParameterSource.COMMANDLINE and context.params[name] is None


def read_text(path: str, *, most: int = _MAX_FILE) -> str:
    """A small file, or standard input for `-`."""
    try:
        if path == "-":
            data = _read(sys.stdin.buffer, most)
        else:
            with Path(path).open("rb") as file:
                data = _read(file, most)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidInput(f"{path} is not a text file.") from None


def _read(file: BinaryIO, most: int) -> bytes:
    data = file.read(most + 1)
    if len(data) > most:
        raise InvalidInput(f"The file is larger than {most} bytes, which nothing of its kind is.")
    return data


def read_password(*, from_standard_input: bool) -> str:
    """The first line of standard input, or what is typed twice without being shown."""
    if from_standard_input:
        return read_text("-").split("\n", 1)[0].rstrip("\r")
    if not sys.stdin.isatty():
        raise click.UsageError("Without a terminal, give the password with --password-stdin.")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return typed
