"""The command hive doctor."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

import click

from hive.cli import output
from hive.cli.options import Options
from hive.services.permissions import OPERATOR
from hive.services.server import doctor as service


@click.command()
@output.json_option
@click.pass_context
def doctor(context: click.Context) -> None:
    """Check this installation and say how to fix problems."""
    options: Options = context.obj
    findings = asyncio.run(service.examine(OPERATOR, options.settings()))
    if output.wants_json():
        output.show_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            click.echo(f"{finding.level.upper():<8} {finding.subject}: {finding.message}")
            if finding.remedy:
                click.echo(f"{'':<8}   -> {finding.remedy}")
    if any(finding.level == "error" for finding in findings):
        context.exit(1)
