"""How Sphinx makes the book: Markdown in, pages out that load nothing from the network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from hive.__main__ import cli
from hive.cli.later import Later

project = "Borg Hive"
author = "the Borg Hive contributors"
copyright = author

extensions = ["myst_parser", "sphinx_copybutton"]
exclude_patterns = ["pictures"]
myst_heading_anchors = 3  # pages link to each other's headings: upkeep.md#compaction
nitpicky = True

html_theme = "furo"
html_title = "Borg Hive"
html_show_sphinx = False
html_copy_source = False
_SYSTEM_FONT = {"font-stack": "system-ui, sans-serif"}
html_theme_options = {
    "top_of_page_buttons": [],
    "light_css_variables": _SYSTEM_FONT,
    "dark_css_variables": _SYSTEM_FONT,
}

_COMMANDS = """\
# Commands

What `--help` prints, for every command. The page is made from the commands when the book is built.
Examples are in the how-to guides."""


def _sections(command: click.Command, context: click.Context) -> Iterator[str]:
    """A heading and the help of a command, and of all below it."""
    if isinstance(command, Later):
        command = command.load()
    name = context.command_path
    level = "##" if name.count(" ") < 2 else "###"
    yield f"{level} {name}\n\n```text\n{command.get_help(context)}\n```"
    if isinstance(command, click.Group):
        for verb in command.list_commands(context):
            below = command.get_command(context, verb)
            if below is not None:
                yield from _sections(
                    below, click.Context(below, context, verb, max_content_width=90)
                )


# Not kept by git: it would be in the way of every change of a help text.
_page = "\n\n".join([_COMMANDS, *_sections(cli, click.Context(cli, info_name="hive"))])
(Path(__file__).parent / "reference" / "commands.md").write_text(f"{_page}\n")
