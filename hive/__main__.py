"""`hive` and `python -m hive`: the commands of hive.cli, and `serve`."""

from __future__ import annotations

import click

from hive.cli.later import begin_imports, end_imports
from hive.cli.main import main as cli
from hive.cli.options import Options


@cli.command()
@click.option(
    "--ssh", metavar="HOST:PORT", help="Address of the SSH server; port 0 takes a free port."
)
@click.option(
    "--web", metavar="HOST:PORT", help="Address of the web server; port 0 takes a free port."
)
@click.pass_context
def serve(context: click.Context, ssh: str | None, web: str | None) -> None:
    """Run the server."""
    from hive import app  # noqa: PLC0415 - all other commands start without SSH and HTTP

    end_imports()
    options: Options = context.obj
    settings = options.settings({"ssh.listen": ssh, "web.listen": web})
    context.exit(app.run(settings))


def main() -> None:
    begin_imports()
    cli(prog_name="hive")


if __name__ == "__main__":
    main()
