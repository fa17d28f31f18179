"""The commands below hive config."""

from __future__ import annotations

import click

from hive.cli import output
from hive.cli.options import Options
from hive.config import docs
from hive.config.dangers import dangerous
from hive.config.settings import unknown_variables


@click.group()
def config() -> None:
    """Settings."""


@config.command("check")
@output.json_option
@click.pass_obj
def check(options: Options) -> None:
    """Check the configuration for errors and for settings that reduce security."""
    settings = options.settings()
    warnings = [*unknown_variables(), *dangerous(settings)]
    if output.wants_json():
        output.show_json({"valid": True, "warnings": warnings})
        return
    for warning in warnings:
        output.say(f"Warning: {warning}.")
    click.echo("The configuration is valid.")


@config.command("example")
@output.json_option
def example() -> None:
    """Print a configuration file with every setting and its default."""
    text = docs.example_toml()
    if output.wants_json():
        output.show_json({"example": text})
    else:
        click.echo(text, nl=False)
