"""`hive` and `python -m hive`: the commands of hive.cli, and `serve`."""

from __future__ import annotations

import click

from hive.cli.main import main as cli
from hive.cli.options import Options


@cli.command()
@click.option("--ssh", metavar="HOST:PORT", help="Where the SSH gate listens; port 0: a free one.")
@click.option("--web", metavar="HOST:PORT", help="Where the web listens; port 0: a free one.")
@click.pass_context
def serve(context: click.Context, ssh: str | None, web: str | None) -> None:
    """Run the server."""
    from hive import app  # noqa: PLC0415 - all other commands start without SSH and HTTP

    options: Options = context.obj
    settings = options.settings({"ssh.listen": ssh, "web.listen": web})
    context.exit(app.run(settings))


def main() -> None:
    cli(prog_name="hive")


if __name__ == "__main__":
    main()
