"""`hive` and `python -m hive`: the commands of hive.cli, and `serve`."""

from __future__ import annotations

import click

from hive.cli.later import begin_imports, end_imports, import_all
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
    import_all()
    from hive import app  # noqa: PLC0415 - all other commands start without SSH and HTTP

    end_imports()
    options: Options = context.obj
    settings = options.settings({"ssh.listen": ssh, "web.listen": web})
    context.exit(app.run(settings))


@cli.command()
@click.option("--ssh", metavar="HOST:PORT", help="Address of the SSH server; default: a free port.")
@click.option("--web", metavar="HOST:PORT", help="Address of the web server; default: a free port.")
@click.option(
    "--repositories",
    type=click.IntRange(1, 100_000),
    default=33,
    show_default=True,
    help="How many repositories to make up.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 400),
    default=90,
    show_default=True,
    help="How many days of history to make up.",
)
@click.pass_context
def demo(
    context: click.Context, ssh: str | None, web: str | None, repositories: int, days: int
) -> None:
    """Run a server with made-up data, to look around.

    Its data directory is a temporary one, or the new one that --data-dir names, and is removed
    when the demo ends. Nothing is sent to anybody.
    """
    import_all()
    from hive import demo as server  # noqa: PLC0415 - as above

    end_imports()
    options: Options = context.obj
    parent = context.parent
    source = None if parent is None else parent.get_parameter_source("data_dir")
    is_named = source is click.core.ParameterSource.COMMANDLINE  # not by HIVE_DATA_DIR
    status = server.run(
        ssh=ssh,
        web=web,
        repositories=repositories,
        days=days,
        data_dir=options.data_dir if is_named else None,
    )
    context.exit(status)


def main() -> None:
    begin_imports()
    cli(prog_name="hive")


if __name__ == "__main__":
    main()
