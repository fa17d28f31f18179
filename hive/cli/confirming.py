"""Asking whether something is meant, before it is done."""

from __future__ import annotations

import sys

import click

from hive.errors import InvalidInput


def by_name(name: str, question: str, *, without_terminal: str) -> None:
    """Have the name of what is concerned typed; InvalidInput where another one is.

    `without_terminal` says how to do it where nobody can be asked.
    """
    if not sys.stdin.isatty():
        raise click.UsageError(without_terminal)
    if click.prompt(question, err=True) != name:
        raise InvalidInput("The names do not match: nothing was changed.")
