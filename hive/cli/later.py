"""Commands whose module is imported when they run, so that a command starts quickly."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Mapping
from typing import Any

import click


def begin_imports() -> None:
    """Put off the collection of garbage: imports make none, and the search takes its time."""
    gc.disable()


def end_imports() -> None:
    """Collect garbage again, from what comes to be from here on."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


class Later(click.Command):
    """Represents a command of another module in lists; it is imported when it runs."""

    def __init__(self, name: str, module: str, attribute: str, text: str) -> None:
        super().__init__(name, help=text)
        self._module, self._attribute = module, attribute

    def load(self) -> click.Command:
        command = getattr(importlib.import_module(self._module), self._attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - so the table says
        return command

    def make_context(self, *args: Any, **given: Any) -> click.Context:  # noqa: ANN401 - as click has it
        return self.load().make_context(*args, **given)


def add_later(group: click.Group, package: str, table: Mapping[str, tuple[str, str]]) -> None:
    """Add commands to a group: name -> (MODULE:COMMAND in `package`, first sentence of its help).

    A test compares that sentence with the command's own help.
    """
    for name, (place, text) in table.items():
        module, _, attribute = place.partition(":")
        group.add_command(Later(name, f"{package}.{module}", attribute, text))
