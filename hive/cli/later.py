"""Commands whose module is imported when they run, so that a command starts quickly."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType
from typing import Any

import click

# What many modules name and few commands use: it is loaded when something in it is used. These are
# used in the event loop alone, for threads do not wait for each other there before Python 3.12.3.
WHEN_USED = frozenset(
    {
        "hive.services.clock.trust",
        "hive.services.health.proposals",
        "hive.services.keys.keys",
        "hive.services.outbox.outbox",
        "hive.services.repositories.quotas",
        "hive.services.storage.locations",
    }
)


class _WhenUsed:
    """Finds these modules, and loads them when they are used: importlib has a loader for that."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in WHEN_USED:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


def begin_imports() -> None:
    """Put off what is not needed, and the collection of garbage: imports make none."""
    sys.meta_path.insert(0, _WhenUsed)
    gc.disable()


def import_all() -> None:
    """From here on, load each module at once: a server must not do so in its event loop."""
    if _WhenUsed in sys.meta_path:
        sys.meta_path.remove(_WhenUsed)


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
