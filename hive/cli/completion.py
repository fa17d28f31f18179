"""The command hive completion."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_HIVE_COMPLETE"  # as click names it for a program `hive`


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands in a shell.

    For bash, add to ~/.bashrc: eval "$(hive completion bash)"; for zsh, the same in ~/.zshrc; for
    fish: hive completion fish > ~/.config/fish/completions/hive.fish
    """
    made = get_completion_class(shell)
    assert made is not None  # noqa: S101 - click knows each of the choices
    click.echo(made(context.find_root().command, {}, "hive", _VARIABLE).source())
